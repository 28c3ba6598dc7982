"""The root URL configuration."""

from django.contrib import admin
from django.urls import include, path

from vibe.api.urls import api_urls
from vibe.home import home
from vibe.metrics.view import metrics
from vibe.serving.probes import livez, readyz

urlpatterns = [
    path("", home, name="home"),
    path("admin/", admin.site.urls),
    path("api/", include(api_urls)),
    path("livez", livez, name="livez"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
]
