"""Django's settings. Operators configure Rushes by environment variables, which the README lists."""

from __future__ import annotations

import sys
from pathlib import Path
from urllib.parse import urlsplit

import dj_database_url
from django.utils.csp import CSP

from dashboard.config import channel_layer, redis_cache
from dashboard.config.environment import Environment, SettingsError, stored_secret, writable_folder
from dashboard.config.s3 import bucket
from executions.tools.api_versions import API_VERSIONS

BASE_DIR = Path(__file__).resolve().parent.parent
environment = Environment()

# --- installation -----------------------------------------------------------------------------------------

TESTING = "pytest" in sys.modules
DATA_DIR = writable_folder(
    "DATA_DIR",
    Path(environment.text("DATA_DIR", str(BASE_DIR / "data" / ("tests" if TESTING else "")))).absolute(),
)
DEBUG = environment.flag("DEBUG")
PORT = environment.number("PORT", 8000, low=0, high=65535)
PUBLIC_URL = environment.url("PUBLIC_URL")
DATABASE_URL = environment.url("DATABASE_URL", schemes=("postgres", "postgresql", "sqlite"))
REDIS_URL = environment.url("REDIS_URL", schemes=("redis", "rediss"))
SCALED = DATABASE_URL.startswith("postgres")

SECRET_KEY = environment.text("SECRET_KEY")
ALLOWED_HOSTS = environment.words("ALLOWED_HOSTS")
if SCALED and not TESTING:
    # Several processes share one database, so none may generate values that the others would not know.
    if DEBUG:
        raise SettingsError("DEBUG must be off where DATABASE_URL names a PostgreSQL server.")
    for name, value in (
        ("SECRET_KEY", SECRET_KEY),
        ("ALLOWED_HOSTS", ALLOWED_HOSTS),
        ("PUBLIC_URL", PUBLIC_URL),
        # Without a key there would be the sandbox, and demo users with a known password.
        ("VIDEOGEN_API_KEY", environment.text("VIDEOGEN_API_KEY")),
    ):
        if not value:
            raise SettingsError(f"{name} must be set where DATABASE_URL names a PostgreSQL server.")
if SECRET_KEY and len(SECRET_KEY) < 32:
    raise SettingsError("SECRET_KEY is too short to be safe: use at least 32 random characters.")
SECRET_KEY = SECRET_KEY or stored_secret(DATA_DIR / "secret.key")
# Encrypt secrets in the database. The first key encrypts, all of them decrypt.
ENCRYPTION_KEYS = environment.words("ENCRYPTION_KEYS") or [SECRET_KEY]
ALLOWED_HOSTS = ALLOWED_HOSTS or ["127.0.0.1", "localhost", "[::1]"]
if PUBLIC_URL:
    public = urlsplit(PUBLIC_URL)
    ALLOWED_HOSTS = [*ALLOWED_HOSTS, public.hostname or ""]
    CSRF_TRUSTED_ORIGINS = [f"{public.scheme}://{public.netloc}"]
SECURE_COOKIES = PUBLIC_URL.startswith("https://")
# Proxies whose X-Forwarded-For is trusted.
TRUSTED_PROXIES = environment.networks("TRUSTED_PROXIES")

# --- VideoGen ---------------------------------------------------------------------------------------------

VIDEOGEN_API_KEY = environment.text("VIDEOGEN_API_KEY")
VIDEOGEN_BASE_URL = environment.url("VIDEOGEN_BASE_URL", "https://api.videogen.io")
# The API version of the requests that we send. Responses of every version are accepted.
VIDEOGEN_API_ERA = environment.text("VIDEOGEN_API_ERA", "0.0")
if VIDEOGEN_API_ERA not in API_VERSIONS:
    raise SettingsError(
        f"VIDEOGEN_API_ERA must be one of {', '.join(API_VERSIONS)}, not {VIDEOGEN_API_ERA!r}."
    )
DELIVERY_RETENTION_DAYS = environment.number("DELIVERY_RETENTION_DAYS", 90, low=1, high=3650)
# Days after which events are replaced by a signed summary; 0: never.
AUDIT_RETENTION_DAYS = environment.number("AUDIT_RETENTION_DAYS", 0, low=0, high=36500)
# The file to which the head of the audit chain is appended every hour; the log if empty.
AUDIT_ANCHOR_FILE = environment.text("AUDIT_ANCHOR_FILE")
if AUDIT_ANCHOR_FILE:
    writable_folder("AUDIT_ANCHOR_FILE", Path(AUDIT_ANCHOR_FILE).absolute().parent)
# Whether external jobs of the account are imported into the history.
IMPORT_ELSEWHERE = environment.flag("IMPORT_ELSEWHERE", default=True)
# Several secrets are allowed, for rotations.
VIDEOGEN_WEBHOOK_SECRETS = environment.words("VIDEOGEN_WEBHOOK_SECRET")
# Without a key, `serve` starts the sandbox in place of VideoGen and creates the demo users.
USES_SANDBOX = not VIDEOGEN_API_KEY
DEMO_PASSWORD = environment.text("DEMO_PASSWORD")
SANDBOX_SPEED = environment.factor("SANDBOX_SPEED", 1.0, low=0.01, high=1000)
if USES_SANDBOX and environment.text("VIDEOGEN_BASE_URL"):
    raise SettingsError("VIDEOGEN_BASE_URL is set, but VIDEOGEN_API_KEY is not: set both, or neither.")
if not VIDEOGEN_API_KEY.isascii() or any(character.isspace() for character in VIDEOGEN_API_KEY):
    raise SettingsError("VIDEOGEN_API_KEY must be one word of plain characters, as VideoGen shows it.")
for secret in VIDEOGEN_WEBHOOK_SECRETS:
    if not secret.startswith("whsec_"):
        raise SettingsError("VIDEOGEN_WEBHOOK_SECRET must begin with whsec_, as VideoGen shows it.")

# --- the application --------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "daphne",
    "django.contrib.admin.apps.SimpleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "django_htmx",
    "lucide",
    "executions",
    "dashboard",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "dashboard.http.middleware.StaticFiles",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "dashboard.http.middleware.record_address",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "dashboard.http.middleware.RequireSignIn",
    "django.contrib.messages.middleware.MessageMiddleware",
    "dashboard.http.middleware.record_visit",
    "django_htmx.middleware.HtmxMiddleware",
    "dashboard.http.middleware.handle_not_allowed",
]

ROOT_URLCONF = "dashboard.urls"
ASGI_APPLICATION = "dashboard.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,  # for the admin site's templates
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "dashboard.http.context_processors.shell",
            ],
            "libraries": {"lucide": "lucide.templatetags.lucide"},
            "builtins": ["dashboard.templatetags.rushes"],
        },
    },
]

# --- data -------------------------------------------------------------------------------------------------

SQLITE_PRAGMAS = (
    "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;PRAGMA mmap_size=134217728;"
    "PRAGMA journal_size_limit=27103364;PRAGMA cache_size=2000;"
)
if SCALED:
    # A pool may hold connections from before a server restart, so each is checked before use.
    DATABASES = {"default": dict(dj_database_url.parse(DATABASE_URL, conn_health_checks=True))}
    DATABASES["default"]["OPTIONS"] = {"pool": {"min_size": 2, "max_size": 20, "timeout": 10}}
    if TESTING:
        # Tests create and drop databases, which a pool would keep open. Their data need not survive a crash.
        DATABASES["default"]["OPTIONS"] = {"options": "-c synchronous_commit=off"}
else:
    sqlite_path = (
        DATABASE_URL.removeprefix("sqlite:///") if DATABASE_URL else str(DATA_DIR / "rushes.sqlite3")
    )
    writable_folder("DATABASE_URL" if DATABASE_URL else "DATA_DIR", Path(sqlite_path).absolute().parent)
    DATABASES = {
        "default": {
            "ENGINE": "dashboard.sqlite",
            "NAME": sqlite_path,
            "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20, "init_command": SQLITE_PRAGMAS},
            # A file, because the threads of a test would share one connection to an in-memory database.
            "TEST": {
                "NAME": str(DATA_DIR / f"test-{environment.text('PYTEST_XDIST_WORKER', 'main')}.sqlite3")
            },
        }
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

IN_MEMORY_LAYER = {
    "BACKEND": "channels.layers.InMemoryChannelLayer",
    # By default the layer drops group members after a day: a page left open would stop updating.
    "CONFIG": {"capacity": 1000, "group_expiry": 20 * 365 * 24 * 3600},
}
if REDIS_URL:
    # The pub/sub layer: the default one loses idle sockets with redis-py 8.
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            # Pub/sub ignores Redis's database numbers: the prefix separates installations.
            "CONFIG": {
                "hosts": [channel_layer.host(REDIS_URL)],
                "prefix": f"rushes{urlsplit(REDIS_URL).path.replace('/', ':')}",
            },
        }
    }
    CACHES = {
        "default": {
            "BACKEND": "dashboard.config.redis_cache.Cache",
            "LOCATION": REDIS_URL,
            "OPTIONS": redis_cache.OPTIONS,
        }
    }
else:
    CHANNEL_LAYERS = {"default": IN_MEMORY_LAYER}
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

# --- people -----------------------------------------------------------------------------------------------

LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "studio"
LOGOUT_REDIRECT_URL = "login"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
if TESTING:
    # Real hashes intentionally take half a second, and hundreds of tests sign in.
    PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_COOKIES
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"

# --- content security -------------------------------------------------------------------------------------

# The hosts of VideoGen's signed URLs have changed before and are never pinned (docs/api-notes.md#signed-urls), so
# media may come from any https host; the sandbox serves it on loopback. Everything else must be same-origin.
MEDIA_SOURCES = ["http://127.0.0.1:*"] if USES_SANDBOX else ["https:"]
# Copies in a bucket are loaded from its address; a self-hosted service may not use https.
S3_BUCKET = environment.text("S3_BUCKET")
S3_ENDPOINT = environment.url("S3_ENDPOINT")
if S3_ENDPOINT and not S3_BUCKET:
    raise SettingsError("S3_ENDPOINT is set, but S3_BUCKET is not: set S3_BUCKET too, or remove S3_ENDPOINT.")
if S3_BUCKET:
    MEDIA_SOURCES = [*MEDIA_SOURCES, S3_ENDPOINT or "https:"]
SECURE_CSP = {
    "default-src": [CSP.SELF],
    "img-src": [CSP.SELF, *MEDIA_SOURCES],
    "media-src": [CSP.SELF, *MEDIA_SOURCES],
    "object-src": [CSP.NONE],
    "base-uri": [CSP.NONE],
    "form-action": [CSP.SELF],
    "frame-ancestors": [CSP.NONE],
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if SECURE_COOKIES else None
SECURE_HSTS_SECONDS = 31_536_000 if SECURE_COOKIES else 0

STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = DEBUG or TESTING
STORAGES = {
    "default": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": DATA_DIR / "media"},
    },
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG or TESTING
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

# --- copies of files --------------------------------------------------------------------------------------

KEEP_FOLDER = Path(environment.text("KEEP_FOLDER", str(DATA_DIR / "kept"))).absolute()
# Incomplete copies, on the same file system as the folder, so that completing one is an atomic rename.
COPY_PARTS = (DATA_DIR if S3_BUCKET else KEEP_FOLDER) / ".parts"
if S3_BUCKET:
    STORAGES["copies"] = bucket(S3_BUCKET, S3_ENDPOINT, environment.text("S3_REGION"))
else:
    writable_folder("KEEP_FOLDER", KEEP_FOLDER)
    STORAGES["copies"] = {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": KEEP_FOLDER, "allow_overwrite": True},
    }

# --- language, time and logs ------------------------------------------------------------------------------

LANGUAGE_CODE = "en-gb"
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"  # a script shows every time in the reader's own zone

METRICS_TOKEN = environment.text("METRICS_TOKEN")
LOG_LEVEL = environment.text("LOG_LEVEL", "INFO").upper()
if LOG_LEVEL not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
    raise SettingsError("LOG_LEVEL must be DEBUG, INFO, WARNING or ERROR.")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"()": "dashboard.config.logging.Formatter"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {
        **{name: {"level": LOG_LEVEL} for name in ("executions", "dashboard")},
        # Rejected forms are ordinary responses, not warnings.
        "django.request": {"level": "ERROR"},
    },
}
DEFAULT_EXCEPTION_REPORTER_FILTER = "dashboard.config.logging.ReporterFilter"
TEST_RUNNER = "django.test.runner.DiscoverRunner"
