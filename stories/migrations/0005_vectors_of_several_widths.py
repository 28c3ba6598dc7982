from django.contrib.postgres.indexes import OpClass
from django.db import migrations, models
from django.db.models.functions import Cast
from django.db.models.lookups import Exact
from pgvector.django import HalfVectorField, HnswIndex

from vibe.core.db.schema.operations import Assured


def graph(model, width, name):
    dims = models.Func(models.F("embedding"), function="vector_dims", output_field=models.IntegerField())
    return migrations.AddIndex(
        model_name=model,
        index=HnswIndex(
            OpClass(Cast("embedding", HalfVectorField(dimensions=width)), "halfvec_cosine_ops"),
            name=name,
            condition=models.Q(("in_graph", True), Exact(dims, width)),
        ),
    )


class Migration(migrations.Migration):
    """Vectors may be wider than 512 numbers: columns of any width, and a graph of each.

    Until the graphs are built anew, large sets are sorted. It cannot be taken back while wider vectors are stored.
    """

    atomic = False

    dependencies = [
        ("memories", "0006_names_of_conversations_are_indexed"),
        ("stories", "0004_passages_are_indexed_by_time"),
    ]

    operations = [
        migrations.RemoveIndex(model_name="passage", name="passages_embedding"),
        migrations.RemoveIndex(model_name="story", name="stories_embedding"),
        Assured(
            "PostgreSQL takes a modifier of a type away without reading a row, and no index is left that names it",
            [
                migrations.RunSQL(
                    f"ALTER TABLE {table} ALTER COLUMN embedding TYPE halfvec",
                    f"ALTER TABLE {table} ALTER COLUMN embedding TYPE halfvec(512)",
                    state_operations=[
                        migrations.AlterField(model_name=model, name="embedding", field=HalfVectorField(null=True))
                    ],
                )
                for model, table in (("nextvector", "next_vectors"), ("passage", "passages"), ("story", "stories"))
            ],
        ),
        graph("passage", 512, "passages_embedding"),
        graph("passage", 768, "passages_embedding_768"),
        graph("passage", 1024, "passages_embedding_1024"),
        graph("story", 512, "stories_embedding"),
    ]
