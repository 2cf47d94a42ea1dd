from pathlib import Path

import pytest

from deploy.config import Settings, SettingsError

LIMITS = {
    "port": 0,
    "max_bytes": 1,
    "max_pixels": 1,
    "workers": 1,
    "threads": 1,
    "captioner_timeout": 1,
    "speech_timeout": 1,
    "visitor_days": 0,
    "proxies": 0,
}


@pytest.fixture
def read(monkeypatch):
    """The settings of an environment."""

    def read(environment: dict[str, str]) -> Settings:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return Settings.from_environment()

    return read


def test_defaults_hold_where_nothing_is_set(read):
    assert read({"SIGHTLINE_PORT": " "}) == Settings()
    assert (Settings().host, Settings().port, Settings().max_bytes) == ("127.0.0.1", 8000, 16 * 1024 * 1024)


def test_each_setting_is_read(read, tmp_path):
    settings = read(
        {
            "SIGHTLINE_HOST": "0.0.0.0",
            "SIGHTLINE_MODEL": str(tmp_path),
            "SIGHTLINE_INSTANCE": "here",
            "SIGHTLINE_PRECISION": "int8",
            **{"SIGHTLINE_" + name.upper(): str(least + 1) for name, least in LIMITS.items()},
        }
    )
    assert settings.host == "0.0.0.0"
    assert settings.model == tmp_path and settings.precision == "int8"
    assert settings.instance == Path("here").resolve()
    assert all(getattr(settings, name) == least + 1 for name, least in LIMITS.items())


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("value", ["many", "-1", "1.5", str(10**12)])
def test_a_bad_value_names_its_variable(read, name, value):
    with pytest.raises(SettingsError, match=rf"^SIGHTLINE_{name.upper()} is '{value}'; it must be a whole number from"):
        read({"SIGHTLINE_" + name.upper(): value})


def test_unknown_precision(read):
    with pytest.raises(
        SettingsError, match=r"^SIGHTLINE_PRECISION is 'double'; use one of auto, float32, bfloat16, int8\.$"
    ):
        read({"SIGHTLINE_PRECISION": "double"})
