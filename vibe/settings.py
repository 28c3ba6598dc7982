"""All settings. docs/configuration.md explains each one; a test keeps the two in step.

With nothing configured this is a development machine: DEBUG on, an embedded PostgreSQL and keys generated once, all in
the state folder. With DEBUG off nothing is generated: a missing or weak setting stops the start, by name.

Plain values only: each part builds its own objects from them where it uses them, and its app checks them in `ready()`.
Of the product this file imports vibe.core.state alone, for the generated keys: Django needs SECRET_KEY before apps are
loaded.
"""

from __future__ import annotations

import os
from base64 import urlsafe_b64encode
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import django_stubs_ext
import environ
from django.urls import reverse_lazy

from vibe.core.state import environment, load_or_make_secrets, read_secret

django_stubs_ext.monkeypatch()  # Django's generic classes take type parameters at run time too

# Before numpy is imported: on a busy machine its threads compete, and one embedding takes 50 times as long.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()
env.ENVIRON = environment  # NAME_FILE names a file that holds NAME

DEBUG: bool = env.bool("DEBUG", default=True)
MADE_KEYS = ["ENCRYPTION_KEY", "SECRET_KEY", "AUDIT_SIGNING_KEY", "LOCAL_TOKEN_KEY"]
STATE_DIR = Path(env.str("VIBE_STATE_DIR", default="") or BASE_DIR / ".vibe").expanduser().absolute()

# Secrets: not by env.str(), which reads a value that starts with $ as a name

secret = partial(read_secret, folder=STATE_DIR, made=MADE_KEYS if DEBUG else [])
SECRET_KEY = secret("SECRET_KEY")
ENCRYPTION_KEY = secret("ENCRYPTION_KEY")
ENCRYPTION_KEYS_RETIRED = env.str("ENCRYPTION_KEYS_RETIRED", default="")
KEY_CACHE_SECONDS: int = env.int("KEY_CACHE_SECONDS", default=300)  # of keys that a key service unwrapped
# django-encrypted-model-fields parses a key when it is imported. Ours is ENCRYPTION_KEY; this one is never used.
FIELD_ENCRYPTION_KEY = urlsafe_b64encode(os.urandom(32))

# Web

ALLOWED_HOSTS: list[str] = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"] if DEBUG else [])
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", default=[])
PORT = env.str("PORT", default="")  # of platforms that forward to it
TRUSTED_PROXIES = env.str("TRUSTED_PROXIES", default="")
TRUSTED_PROXY_HEADER = env.str("TRUSTED_PROXY_HEADER", default="")
ROOT_URLCONF = "vibe.urls"
WSGI_APPLICATION = "vibe.wsgi.application"
STATIC_URL = "/static/"
STATIC_DIR = Path(env.str("STATIC_DIR", default=str(STATE_DIR / "static"))).expanduser()
STATIC_ROOT = None if DEBUG else STATIC_DIR  # in development they are served from their source folders
WHITENOISE_USE_FINDERS = DEBUG
STORAGES: dict[str, Any] = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "vibe.staff.apps.StaffAdminConfig",  # django.contrib.admin, with our site
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "procrastinate.contrib.django",
    "ninja",  # its docs page is served from here, not from a CDN
    "corsheaders",
    "axes",
    "vibe.core.db",
    "audit",
    "accounts",
    "memories",
    "stories",
    "vibe",
]
MIDDLEWARE = [
    "vibe.middleware.Observed",
    "corsheaders.middleware.CorsMiddleware",  # outside the rest: the requesting page must be able to read a refusal too
    "vibe.middleware.RequireTls",
    "vibe.middleware.ContentPolicy",
    "vibe.middleware.CompressApi",
    "vibe.middleware.ProblemsOnly",
    "vibe.middleware.FormLimit",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "accounts.middleware.MasterKeyMiddleware",  # outside everything that writes
    "accounts.middleware.StaffSessions",
    "vibe.middleware.CommonMiddleware",  # Django's, but for probes
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",  # outside the transaction: its 429 must not undo the count that led to it
    "accounts.authentication.middleware.AuthenticationMiddleware",  # outside it too, for the same reason
    "audit.middleware.AuditMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "vibe" / "templates"],  # before those of packages, some of whose parts are ours
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# With DEBUG off the service runs behind TLS; SECURE_* can be loosened by name where a proxy handles it.
SECURE_SSL_REDIRECT: bool = env.bool("SECURE_SSL_REDIRECT", default=not DEBUG)
SECURE_HSTS_SECONDS: int = env.int("SECURE_HSTS_SECONDS", default=0 if DEBUG else 31_536_000)
SECURE_HSTS_INCLUDE_SUBDOMAINS: bool = env.bool("SECURE_HSTS_INCLUDE_SUBDOMAINS", default=not DEBUG)
SECURE_HSTS_PRELOAD: bool = env.bool(
    "SECURE_HSTS_PRELOAD", default=False
)  # browsers keep a domain on the list for years
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not DEBUG
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "vibe.core.http.error_pages.form_too_old"
if not DEBUG:
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Host-session", "__Host-csrf"  # of this host alone, and never without TLS
SECURE_REDIRECT_EXEMPT = ["^livez$", "^readyz$", "^metrics$"]  # requested from inside, without TLS
if env.bool("BEHIND_TLS_PROXY", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "script-src": ["'self'"],
        "style-src": ["'self'", "'unsafe-inline'"],  # unfold writes colours and sizes into its pages
        "img-src": ["'self'", "data:"],
        "object-src": ["'none'"],
        "base-uri": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
}

# Database

DATABASE_URL = env.str("DATABASE_URL", default="")  # empty: the embedded server
REPLICA_URL = env.str("REPLICA_URL", default="")  # queried by vibe.core.db.scale.replica alone
BACKUP_DATABASE_URL = env.str("BACKUP_DATABASE_URL", default="")  # of a role that sees every row: see docs/backup.md
DATABASE_CONN_MAX_AGE: int = env.int("DATABASE_CONN_MAX_AGE", default=60)
DATABASE_POOL_SIZE: int = env.int("DATABASE_POOL_SIZE", default=0)
DATABASE_POOLER: bool = env.bool("DATABASE_POOLER", default=False)
DATABASES: dict[str, Any] = {  # vibe.core.db.configured reads the URL
    "default": {
        "ENGINE": "vibe.core.db.backend",
        "URL": DATABASE_URL,
        "CONN_MAX_AGE": 0 if DATABASE_POOL_SIZE else DATABASE_CONN_MAX_AGE,  # the pool keeps connections
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {},
    }
}
if DATABASE_POOL_SIZE:
    # A request that waits longer for a connection gets 503 and can retry: a growing queue helps nobody.
    DATABASES["default"]["OPTIONS"]["pool"] = {"min_size": 1, "max_size": DATABASE_POOL_SIZE, "timeout": 1.5}
if REPLICA_URL:
    DATABASES["replica"] = {
        "ENGINE": "vibe.core.db.backend",
        "URL": REPLICA_URL,
        "CONN_MAX_AGE": DATABASE_CONN_MAX_AGE,
        "CONN_HEALTH_CHECKS": True,
        "TEST": {"MIRROR": "default"},
    }
REPLICA_MAX_LAG_MS: int = env.int("REPLICA_MAX_LAG_MS", default=1000)
PG_BIN = env.str("PG_BIN", default="")
MIGRATION_LOCK_TIMEOUT: int = env.int("MIGRATION_LOCK_TIMEOUT", default=500)
MIGRATION_PATIENCE: int = env.int("MIGRATION_PATIENCE", default=600)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Signing in

AUTH_USER_MODEL = "accounts.User"
SILENCED_SYSTEM_CHECKS = [
    "auth.W004",  # emails are unique, ignoring case: users_email_unique
    "security.W001",  # RequireTls is SecurityMiddleware; tests/test_deployed_settings.py holds what it is set to
]
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "accounts.staff.backends.StaffBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = reverse_lazy("admin:login")
LOGIN_REDIRECT_URL = reverse_lazy("admin:index")
SESSION_HOURS: int = env.int("SESSION_HOURS", default=12)
SESSION_IDLE_MINUTES: int = env.int("SESSION_IDLE_MINUTES", default=60)
SESSION_ENGINE = "accounts.staff.session_store"
SESSION_COOKIE_AGE = int(timedelta(hours=SESSION_HOURS).total_seconds())
SUDO_MINUTES: int = max(1, env.int("SUDO_MINUTES", default=10))  # to fill in a form takes a while
ONE_TIME_CODES: bool = env.bool("ONE_TIME_CODES", default=not DEBUG)

AXES_FAILURE_LIMIT: int = env.int("SIGN_IN_FAILURES", default=5)  # of an account
SIGN_IN_FAILURES_ADDRESS: int = env.int("SIGN_IN_FAILURES_ADDRESS", default=50)
AXES_HANDLER = "accounts.staff.sign_in_failures.SignInFailures"  # a limit for each of the two
AXES_LOCKOUT_PARAMETERS = ["ip_address", "username"]  # each counts alone: many names from one place, one name from many
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False  # or repeated attempts would lock the owner out for good
AXES_RESET_ON_SUCCESS = True
AXES_CLIENT_IP_CALLABLE = "accounts.staff.axes_hooks.client_ip"
AXES_USERNAME_CALLABLE = "accounts.staff.axes_hooks.counted_name"
AXES_LOCKOUT_CALLABLE = "accounts.staff.axes_hooks.locked_out"
AXES_SENSITIVE_PARAMETERS = ["username", "password", "otp_token"]
AXES_DISABLE_ACCESS_LOG = True  # the audit log has every sign-in
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False

# Who may call the API: see docs/sign-in.md

GOOGLE_KEYS_URL = "https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com"
FIREBASE: dict[str, Any] = {
    "project": env.str("FIREBASE_PROJECT_ID", default=""),
    "keys_url": env.str("FIREBASE_KEYS_URL", default=GOOGLE_KEYS_URL),
    "emulator": env.bool("FIREBASE_EMULATOR", default=False),
    "clock_skew": env.int("FIREBASE_CLOCK_SKEW", default=30),
    "keys_grace": env.int("FIREBASE_KEYS_GRACE", default=86_400),
    "unverified_email": env.str("FIREBASE_UNVERIFIED_EMAIL", default="ignore"),
}
# Signs the tokens of `issue_token`, in development only: it is empty everywhere else.
LOCAL_TOKEN_KEY = (
    load_or_make_secrets(STATE_DIR, MADE_KEYS)["LOCAL_TOKEN_KEY"] if DEBUG and not FIREBASE["project"] else ""
)

CORS_URLS_REGEX = r"^/api/"
CORS_ALLOWED_ORIGINS: list[str] = env.list("CORS_ALLOWED_ORIGINS", default=[])
CORS_ALLOW_CREDENTIALS = False  # the API uses no cookies
CORS_ALLOW_HEADERS = ["authorization", "content-type", "idempotency-key", "if-match", "if-none-match"]
CORS_EXPOSE_HEADERS = ["etag", "idempotency-replayed", "location", "ratelimit", "retry-after", "x-request-id"]
CORS_PREFLIGHT_MAX_AGE = 3600  # seconds

MCP_URL = env.str("MCP_URL", default="")
MCP_AUTHORIZATION_SERVERS: list[str] = env.list("MCP_AUTHORIZATION_SERVERS", default=[])

API_LIMIT_PERSON = env.str("API_LIMIT_PERSON", default="600/200")
API_LIMIT_KEY = env.str("API_LIMIT_KEY", default="6000/1000")
API_LIMIT_STRANGER = env.str("API_LIMIT_STRANGER", default="60/60")

# How much is stored of a person, a day / in all: see docs/configuration.md

STORAGE_LIMIT_MEMORIES = env.str("STORAGE_LIMIT_MEMORIES", default="100000/1000000")
STORAGE_LIMIT_MIB = env.str("STORAGE_LIMIT_MIB", default="256/4096")

# Data keys: see docs/keys.md

DATA_KEY_SEALS: int = env.int("DATA_KEY_SEALS", default=100_000_000)

# Access grants: see docs/grants.md

GRANT_LONGEST_HOURS: int = env.int("GRANT_LONGEST_HOURS", default=24)
GRANT_SEPARATION_DAYS: int = env.int("GRANT_SEPARATION_DAYS", default=7)
GRANTS_ALLOW_SELF_APPROVAL: bool = env.bool("GRANTS_ALLOW_SELF_APPROVAL", default=False)

# Mail, of which approvers are told: see docs/grants.md. Without EMAIL_URL none is sent.

EMAIL_URL = env.str("EMAIL_URL", default="")
SITE_URL = env.str("SITE_URL", default="")  # where staff reach the admin; mails lead there
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="")

# Export and erasure: see docs/export.md and docs/erasure.md

EXPORT_DIR = Path(env.str("EXPORT_DIR", default=str(STATE_DIR / "exports"))).expanduser()
EXPORT_LINK_HOURS: int = env.int("EXPORT_LINK_HOURS", default=72)
IMPORT_DIR = Path(env.str("IMPORT_DIR", default=str(STATE_DIR / "imports"))).expanduser()
ERASURE_GRACE_DAYS: int = env.int("ERASURE_GRACE_DAYS", default=14)
ERASURES_NEED_APPROVAL: bool = env.bool("ERASURES_NEED_APPROVAL", default=True)
OBJECT_STORAGE = env.str("OBJECT_STORAGE", default="")
ERASURES_FILE = Path(env.str("ERASURES_FILE", default=str(STATE_DIR / "erasures.jsonl"))).expanduser()

# Webhooks: see docs/webhooks.md

WEBHOOK_NETWORKS: list[str] = env.list("WEBHOOK_NETWORKS", default=[])
WEBHOOK_KEPT_DAYS: int = env.int("WEBHOOK_KEPT_DAYS", default=30)

# Stories

STORY_PROCESSOR = env.str("STORY_PROCESSOR", default="offline")
STORY_EMBEDDER = env.str("STORY_EMBEDDER", default="offline")
STORY_EMBEDDERS_RETIRED: list[str] = env.list("STORY_EMBEDDERS_RETIRED", default=[])
PROCESSOR_CPU_SECONDS: int = env.int("PROCESSOR_CPU_SECONDS", default=30)
PROCESSOR_MEMORY_MB: int = env.int("PROCESSOR_MEMORY_MB", default=512)
PROCESSOR_WALL_SECONDS: float = env.float("PROCESSOR_WALL_SECONDS", default=180.0)
OPENAI_API_KEY = env.str("OPENAI_API_KEY", default="")
OPENAI: dict[str, Any] = {
    "base_url": env.str("OPENAI_BASE_URL", default="https://api.openai.com/v1"),
    "text_model": env.str("OPENAI_TEXT_MODEL", default=""),
    "embedding_model": env.str("OPENAI_EMBEDDING_MODEL", default=""),
    "embedding_dimensions": env.int("OPENAI_EMBEDDING_DIMENSIONS", default=512),
    "stored_dimensions": env.int("OPENAI_STORED_DIMENSIONS", default=512),
    "send_dimensions": env.bool("OPENAI_SEND_DIMENSIONS", default=True),
    "answer_format": env.str("OPENAI_ANSWER_FORMAT", default="json_schema"),
    "timeout": env.float("OPENAI_TIMEOUT", default=60.0),
    "deadline": env.float("OPENAI_DEADLINE", default=180.0),
    "question_timeout": env.float("OPENAI_QUESTION_TIMEOUT", default=5.0),
    "batch": env.int("OPENAI_BATCH", default=64),
    "concurrency": env.int("OPENAI_CONCURRENCY", default=4),
    "daily_tokens": env.int("OPENAI_DAILY_TOKENS", default=500_000),
    "context_characters": env.int("OPENAI_CONTEXT_CHARACTERS", default=48_000),
}
SEARCH_EXACT_UP_TO: int = env.int("SEARCH_EXACT_UP_TO", default=10_000)
EPISODE_GAP_MINUTES: int = env.int("EPISODE_GAP_MINUTES", default=120)
EPISODE_MEMORIES: int = env.int("EPISODE_MEMORIES", default=40)
STORY_QUIET_SECONDS: int = env.int("STORY_QUIET_SECONDS", default=60)
MEMORY_RETENTION_DAYS: int = env.int("MEMORY_RETENTION_DAYS", default=0)

# The audit log

AUDIT_SIGNING_KEY = secret("AUDIT_SIGNING_KEY")
AUDIT_SIGNING_KEYS_RETIRED = env.str("AUDIT_SIGNING_KEYS_RETIRED", default="")
AUDIT_PUBLIC_KEYS_RETIRED = env.str("AUDIT_PUBLIC_KEYS_RETIRED", default="")
AUDIT_CHECKPOINT_FILE = env.str("AUDIT_CHECKPOINT_FILE", default=str(STATE_DIR / "audit-checkpoints.jsonl"))
AUDIT_RETENTION_MONTHS: int = env.int("AUDIT_RETENTION_MONTHS", default=24)

# Jobs: each class of work has slots of its own, in each process; successful jobs are deleted. See docs/operations.md

WORKER_SLOTS = env.str("WORKER_SLOTS", default="audit=1,waited=2,stories=2,imports=1,webhooks=2")
PROCRASTINATE_WORKER_DEFAULTS = {
    "delete_jobs": "successful",
    "listen_notify": not DATABASE_POOLER,
}
PROCRASTINATE_ON_APP_READY = "vibe.serving.worker.prepare"

# The API

API_BODY_LIMIT: int = env.int("API_BODY_LIMIT", default=4 * 1024 * 1024)
DATA_UPLOAD_MAX_MEMORY_SIZE = max(API_BODY_LIMIT, 8 * 1024 * 1024)  # each operation takes less, so do forms

# Backups: see docs/backup.md

BACKUP_HOURS: int = env.int("BACKUP_HOURS", default=26)
DRILL_DAYS: int = env.int("DRILL_DAYS", default=8)

# Serving: see docs/operations.md

MIGRATE_AT_START: bool = env.bool("MIGRATE_AT_START", default=True)
DATABASE_WAIT_SECONDS: float = env.float("DATABASE_WAIT_SECONDS", default=60.0)
SHUTDOWN_SECONDS: int = env.int("SHUTDOWN_SECONDS", default=30)
READY_NEEDS_WORKER: bool = env.bool("READY_NEEDS_WORKER", default=False)

# Metrics: who may read /metrics. In development, any user of the machine.

METRICS_TOKEN = env.str("METRICS_TOKEN", default="")
METRICS_NETWORKS = env.str("METRICS_NETWORKS", default="127.0.0.0/8, ::1" if DEBUG else "")

# Import

IMPORT_LINE_LIMIT: int = env.int("IMPORT_LINE_LIMIT", default=16 * 1024 * 1024)

# Language and time

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True
FORMAT_MODULE_PATH = "vibe.formats"

# Logs go to standard error. Statements and parameters are not logged at any level: see vibe.core.logs.

LOG_LEVEL = env.str("LOG_LEVEL", default="INFO")
LOG_FORMAT = env.str("LOG_FORMAT", default="text")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"scrubbed": {"()": "vibe.core.logs.formatting.Scrubbed"}},
    "formatters": {"text": {"()": "vibe.core.logs.formatting.Text"}, "json": {"()": "vibe.core.logs.formatting.Json"}},
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": "json" if LOG_FORMAT == "json" else "text",
            "filters": ["scrubbed"],
        }
    },
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {
        "django": {"handlers": ["stderr"], "level": LOG_LEVEL, "propagate": False},
        "django.request": {"level": "ERROR"},  # other responses are logged by vibe.requests
        "django.server": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
        "django.db.backends": {"level": "INFO"},
        "procrastinate": {"level": "WARNING"},
        "axes": {"level": "WARNING"},  # the audit log has these events already
        "openai": {"level": "WARNING"},  # at DEBUG it logs every request
        "httpx": {"level": "WARNING"},
        "mcp": {"level": "WARNING"},  # at INFO it logs the name that a caller gives for a tool
        "psycopg": {"level": "WARNING"},
        "audit.checkpoints": {"level": "INFO"},
    },
}

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Vibe",
    "SITE_HEADER": "Vibe",
    "SITE_SUBHEADER": "Metadata only",
    "SITE_SYMBOL": "lock",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": "vibe.staff.navigation.favicon"}],
    "SCRIPTS": ["vibe.staff.navigation.local_times", "vibe.staff.navigation.global_search"],
    "STYLES": ["vibe.staff.navigation.styles"],
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "DASHBOARD_CALLBACK": "vibe.staff.home.dashboard",
    "ACCOUNT": {
        "navigation": [
            {"title": "Change password", "link": reverse_lazy("admin:password_change")},
            {"title": "One-time codes", "link": reverse_lazy("admin:one_time_codes")},
        ]
    },
    "SIDEBAR": {"navigation": "vibe.staff.navigation.sidebar"},
    "COLORS": {
        "primary": {
            "50": "oklch(97% .014 262)",
            "100": "oklch(94% .03 262)",
            "200": "oklch(88% .06 262)",
            "300": "oklch(80% .1 262)",
            "400": "oklch(71% .15 262)",
            "500": "oklch(68% .16 262)",
            "600": "oklch(53% .2 262)",
            "700": "oklch(47% .18 262)",
            "800": "oklch(41% .15 262)",
            "900": "oklch(36% .12 262)",
            "950": "oklch(27% .08 262)",
        },
    },
}
