"""The two tables of legal order: whole, and in step with the words that there are."""

import pytest

from provision import messages
from provision.agent import protocol

TABLES = (protocol.AGENT, protocol.CONTROLLER)


def test_each_word_of_the_agent_has_a_model_and_a_place() -> None:
    assert set(messages._KINDS) == {word for words in protocol.AGENT.values() for word in words}


def test_both_tables_have_the_same_states() -> None:
    states = {state for table in TABLES for words in table.values() for state in words.values()}
    for table in TABLES:
        assert set(table) >= states
        assert set(table) == set(protocol.AGENT)


def test_from_each_state_the_end_is_reached_and_each_state_from_the_start() -> None:
    def after(states: set[str]) -> set[str]:
        return states | {end for table in TABLES for state in states for end in table[state].values()}

    reached, before = {protocol.START}, set[str]()
    while reached != before:
        reached, before = after(reached), reached
    assert reached == set(protocol.AGENT)
    assert all(protocol.OVER in protocol.AGENT[state].values() for state in protocol.AGENT)


@pytest.mark.parametrize("word", protocol.ANY_TIME)
def test_what_crosses_on_the_wire_changes_no_state(word: str) -> None:
    assert all(protocol.controller_said(state, word) == state for state in protocol.CONTROLLER)


@pytest.mark.parametrize(
    ("said", "state", "word", "text"),
    [
        (protocol.agent_said, protocol.REQUEST, "bye", "the agent said 'bye' in the state 'waiting for a request'"),
        (protocol.controller_said, protocol.WORK, "plan", "the controller said 'plan' in the state 'working'"),
        (
            protocol.controller_said,
            protocol.PLAN,
            "sing",
            "the controller said 'sing' in the state 'waiting for a plan'",
        ),
    ],
)
def test_a_word_out_of_turn_is_named_with_the_state(said, state, word, text) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(protocol.OutOfTurn) as caught:
        said(state, word)
    assert str(caught.value) == text
