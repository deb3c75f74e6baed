"""The rehearsal of phones: one seed makes the same visits, and the rules judge them rightly."""

from __future__ import annotations

from gateway.rehearsal.phones import PERSON, rehearse
from shortlinks.classify import ClickClass, RequestFacts, classify

LINKS = [f"http://127.0.0.1/{number}" for number in range(400)]


def test_the_same_seed_makes_the_same_visits_and_another_one_others() -> None:
    assert rehearse(LINKS, 1) == rehearse(LINKS, 1)
    assert rehearse(LINKS, 1) != rehearse(LINKS, 2)


def test_every_kind_of_visitor_comes_and_each_person_from_a_network_of_their_own() -> None:
    rehearsal = rehearse(LINKS, 3)
    kinds = {visit.who for visit in rehearsal.visits}
    assert kinds == {PERSON, "preview", "scanner", "prefetch", "monitor"}
    people = rehearsal.people
    assert 100 < len(people) < 220 and max(people.values()) == 3
    assert people.total() + rehearsal.machines == len(rehearsal.visits)
    networks = {
        (visit.link, visit.headers["X-Forwarded-For"])
        for visit in rehearsal.then
        if visit.who == PERSON
    }
    assert len({network for _, network in networks}) == len(people) == len(networks)


def test_a_request_alone_tells_people_from_machines() -> None:
    for seed in range(20):
        for visit in rehearse(LINKS[:50], seed).visits:
            headers = visit.headers
            facts = RequestFacts(
                headers.get("Accept", ""),
                headers.get("Accept-Language", ""),
                headers.get("Sec-Purpose", ""),
                headers.get("Purpose", ""),
                headers.get("X-Moz", ""),
            )
            judged, _ = classify(visit.method, facts, headers.get("User-Agent", ""))
            assert (judged is ClickClass.HUMAN) == (visit.who == PERSON), visit
