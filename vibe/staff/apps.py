from django.contrib.admin.apps import AdminConfig


class StaffAdminConfig(AdminConfig):
    """Django's admin with our site as the one that everything registers with."""

    default_site = "vibe.staff.site.StaffSite"
