from pathlib import Path

import pytest

from deploy.config import LIMITS, Settings, SettingsError


def test_defaults_hold_where_nothing_is_set():
    assert Settings.from_environment({"SIGHTLINE_PORT": " "}) == Settings()
    assert (Settings().host, Settings().port, Settings().max_bytes) == ("127.0.0.1", 8000, 16 * 1024 * 1024)


def test_each_setting_is_read(tmp_path):
    settings = Settings.from_environment(
        {
            "SIGHTLINE_HOST": "0.0.0.0",
            "SIGHTLINE_MODEL": str(tmp_path),
            "SIGHTLINE_INSTANCE": "here",
            "SIGHTLINE_PRECISION": "int8",
            **{"SIGHTLINE_" + name.upper(): str(least + 1) for name, (least, _) in LIMITS.items()},
        }
    )
    assert settings.host == "0.0.0.0"
    assert settings.model == tmp_path and settings.precision == "int8"
    assert settings.instance == Path("here").resolve()
    assert all(getattr(settings, name) == least + 1 for name, (least, _) in LIMITS.items())


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("value", ["many", "-1", "1.5", str(10**12)])
def test_a_bad_value_names_its_variable(name, value):
    with pytest.raises(SettingsError, match=rf"^SIGHTLINE_{name.upper()} is '{value}'; it must be a whole number from"):
        Settings.from_environment({"SIGHTLINE_" + name.upper(): value})


def test_unknown_precision():
    with pytest.raises(
        SettingsError, match=r"^SIGHTLINE_PRECISION is 'double'; use one of auto, float32, bfloat16, int8\.$"
    ):
        Settings.from_environment({"SIGHTLINE_PRECISION": "double"})
