"""The root URL configuration."""

from django.contrib import admin
from django.urls import include, path

from vibe.api.urls import api_urls
from vibe.home import home
from vibe.metrics.view import metrics
from vibe.serving.readiness import livez, readyz

handler400 = "vibe.core.http.error_pages.bad_request"
handler403 = "vibe.core.http.error_pages.forbidden"
handler404 = "vibe.core.http.error_pages.not_found"
handler500 = "vibe.core.http.error_pages.failed"

urlpatterns = [
    path("", home, name="home"),
    path("admin/", admin.site.urls),
    path("api/", include(api_urls)),
    path("livez", livez, name="livez"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
]
