from django.contrib.admin.apps import AdminConfig


class StaffAdminConfig(AdminConfig):
    """Django's admin with StaffSite as its default site."""

    default_site = "vibe.staff.site.StaffSite"
