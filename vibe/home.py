"""The page at /: what is where."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from audit.middleware import no_personal_data


@no_personal_data
def home(request: HttpRequest) -> HttpResponse:
    """A page for whoever has just started the server. It shows nothing of anybody."""
    return render(request, "vibe/home.html")
