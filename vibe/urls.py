"""What answers at which address."""

from django.contrib import admin
from django.urls import path

from vibe.home import home

urlpatterns = [
    path("", home, name="home"),
    path("admin/", admin.site.urls),
]
