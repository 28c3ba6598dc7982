"""The web application for a server such as gunicorn: `gunicorn vibe.wsgi`. DEBUG is off here unless it is set."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DEBUG", "off")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "vibe.settings")

application = get_wsgi_application()
