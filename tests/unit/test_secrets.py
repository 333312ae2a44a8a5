"""Secrets that do not show, and the mask for those that slip through."""

import base64
import json
import pickle
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from provision.secrets import HIDDEN, Mask, Secret

VALUE = "p@ss w%rd/ä"


@pytest.mark.parametrize(
    "show", [repr, str, "{}".format, "{:>3}".format, lambda s: f"{s}", lambda s: f"{s!r}", "%s".__mod__]
)
def test_a_secret_does_not_show(show) -> None:
    assert show(Secret(VALUE)) == HIDDEN


def test_a_secret_is_a_value() -> None:
    assert Secret("a") == Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert hash(Secret("a")) == hash(Secret("a"))
    assert pickle.loads(pickle.dumps(Secret("a"))).reveal() == "a"
    assert not Secret("")


class Model(BaseModel):
    model_config = ConfigDict(frozen=True)
    password: Secret


def test_a_model_takes_it_and_does_not_dump_it() -> None:
    model = Model.model_validate({"password": "hunter2"})
    assert model.password.reveal() == "hunter2"
    assert "hunter2" not in model.model_dump_json() + repr(model)
    assert Model.model_json_schema()["properties"]["password"]["writeOnly"] is True


@pytest.mark.parametrize(
    "text",
    [
        VALUE,
        quote(VALUE),
        quote(VALUE, safe=""),
        quote_plus(VALUE),
        quote(VALUE, safe="").replace("%", "%%"),
        json.dumps(VALUE),
        base64.b64encode(f"user:{VALUE}".encode()).decode(),
        base64.b64encode(f"$oauthtoken:{VALUE}".encode()).decode(),
        base64.b64encode(VALUE.encode()).decode(),
    ],
)
def test_known_values_are_hidden_in_their_encodings_and_the_rest_stays(text: str) -> None:
    masked = Mask([Secret(VALUE)]).text(f"before {text} after")
    assert masked.startswith("before ")
    assert masked.endswith(" after")
    assert text not in masked
    assert VALUE not in masked
    assert HIDDEN in masked


def test_what_is_too_short_to_be_a_secret_does_not_eat_the_text() -> None:
    assert Mask([Secret("a"), Secret("")]).text("a banana") == "a banana"


def test_the_longer_of_two_secrets_goes_first() -> None:
    assert Mask([Secret("hunter"), Secret("hunter22")]).text("x hunter22 y") == f"x {HIDDEN} y"


def test_values_are_masked_to_their_leaves() -> None:
    masked = Mask([Secret("hunter2")]).value({"a": ["xhunter2", 1, None], "hunter2": True})
    assert masked == {"a": [f"x{HIDDEN}", 1, None], HIDDEN: True}


@given(st.text(min_size=6), st.text(), st.text())
def test_no_secret_survives_its_mask(secret: str, before: str, after: str) -> None:
    masked = Mask([Secret(secret)]).text(before + secret + after)
    assert secret not in masked or secret in HIDDEN * 3 or secret in before + HIDDEN + after
