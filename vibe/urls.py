"""What answers at which address."""

from django.contrib import admin
from django.urls import include, path

from vibe.api.urls import api_urls
from vibe.home import home

urlpatterns = [
    path("", home, name="home"),
    path("admin/", admin.site.urls),
    path("api/", include(api_urls)),
]
