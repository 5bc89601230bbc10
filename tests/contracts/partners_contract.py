"""What the collections of partners, sources and keys promise."""

from collections.abc import Sequence
from decimal import Decimal
from functools import partial

import pytest
from attrs import evolve

from commerce_core.base.errors import Conflict, NotFound
from commerce_core.base.paging import every
from commerce_core.feeds.coalescing import UnderWay
from commerce_core.feeds.source import OnError
from commerce_core.partners.api_key import USE_NOTED_EVERY
from commerce_core.ports.store import Store
from commerce_core.profiles.profile import (
    CANONICAL,
    UNPROFILED,
    Column,
    Group,
    Profile,
    SavedProfile,
    Skip,
)
from tests.contracts import samples
from tests.contracts.samples import DAY, SECOND, T0
from tests.contracts.threads import meanwhile, together
from tests.support.waiting import PATIENCE, assert_waits


class TestPartners:
    def test_a_partner_is_kept_as_it_is(self, store: Store):
        """`get` gives the very partner that was added."""
        someone = samples.partner(
            "Café Ω 🛒",
            currency=None,
            status="paused",
            time_zone="Asia/Kolkata",
            contact_email="feeds@example.com",
        )
        with store.begin() as unit:
            unit.partners.add(someone)
        with store.begin() as unit:
            assert unit.partners.get(someone.partner_id) == someone

    @pytest.mark.parametrize(
        ("name", "other"),
        [("Aroma", "AROMA"), ("Straße", "STRASSE"), ("Ὀδυσσεύς", "ὈΔΥΣΣΕΎΣ"), ("ﬁne", "FINE")],
    )
    def test_a_partner_is_found_without_regard_to_case(self, store: Store, name: str, other: str):
        """`find` compares case folded names."""
        someone, _ = samples.settled(store, name)
        with store.begin() as unit:
            assert unit.partners.find(other) == someone
            assert unit.partners.find(name) == someone

    def test_a_name_is_matched_as_a_whole(self, store: Store):
        """`find` gives None for any other name, patterns and parts included."""
        samples.settled(store, "Aroma_Shop%")
        with store.begin() as unit:
            for other in ("Aroma", "Aroma_Shop", "%", "AromaXShop%", "", "Aroma Shop%"):
                assert unit.partners.find(other) is None

    @pytest.mark.parametrize(("name", "other"), [("Aroma", "aRoMa"), ("Straße", "STRASSE")])
    def test_names_are_unique_without_regard_to_case(self, store: Store, name: str, other: str):
        """`add` refuses a name that is taken, case folded: Conflict `partner_name_taken`."""
        samples.settled(store, name)
        with pytest.raises(Conflict) as refused, store.begin() as unit:
            unit.partners.add(samples.partner(other))
        assert refused.value.code == "partner_name_taken"
        assert other in refused.value.detail

    def test_two_threads_cant_take_one_name(self, store: Store):
        """Of two partners added at once under one name, one is kept and one is refused."""

        def add() -> str:
            try:
                with store.begin() as unit:
                    unit.partners.add(samples.partner("Aroma"))
            except Conflict as refused:
                return refused.code
            return "kept"

        assert sorted(together(add, add, add)) == [
            "kept",
            "partner_name_taken",
            "partner_name_taken",
        ]

    @pytest.mark.parametrize("other", ["Al\u200bpha", "\u0410lpha", "AIpha", "\uff21lpha"])
    def test_a_name_that_looks_like_anothers_is_refused(self, store: Store, other: str):
        """`add`, and `put` under a new name: Conflict `partner_name_confusable` names the other."""
        samples.settled(store, "Alpha")
        third, _ = samples.settled(store, "Bouquet")
        with pytest.raises(Conflict) as refused, store.begin() as unit:
            unit.partners.add(samples.partner(other))
        assert refused.value.code == "partner_name_confusable"
        assert "'Alpha'" in refused.value.detail
        with pytest.raises(Conflict), store.begin() as unit:
            unit.partners.put(third.changed(T0, partner_name=other))

    def test_a_name_gives_way_to_one_that_looks_like_it(self, store: Store):
        """A partner may be renamed to what looks like its own name; its old one is then free."""
        someone, _ = samples.settled(store, "Alpha")
        with store.begin() as unit:
            unit.partners.put(someone.changed(T0, partner_name="\u0410lpha"))
        with store.begin() as unit:
            unit.partners.put(someone.changed(T0, partner_name="Bouquet"))
            unit.partners.add(samples.partner("Alpha"))

    def test_two_threads_cant_take_names_that_look_alike(self, store: Store):
        """Of partners added at once, one is kept."""

        def add(name: str) -> str:
            try:
                with store.begin() as unit:
                    unit.partners.add(samples.partner(name))
            except Conflict as refused:
                return refused.code
            return "kept"

        calls = [partial(add, name) for name in ("Alpha", "AIpha", "\u0410lpha")]
        assert sorted(together(*calls)) == ["kept", *["partner_name_confusable"] * 2]

    def test_a_partner_that_is_held_is_not_changed_meanwhile(self, store: Store):
        """`lock` waits for those that hold it with `lock_shared`; NotFound if there is none."""
        someone, _ = samples.settled(store)

        def change() -> None:
            with store.begin() as unit:
                unit.partners.put(
                    unit.partners.lock(someone.partner_id).changed(T0, currency="JPY")
                )

        with store.begin() as unit:
            assert unit.partners.lock_shared(someone.partner_id) == someone
            changing = meanwhile(change)
            assert_waits(changing)
        changing.result(PATIENCE)
        for lock in ("lock", "lock_shared"):
            with pytest.raises(NotFound), store.begin() as unit:
                getattr(unit.partners, lock)(samples.new_id("ptn"))

    def test_put_replaces(self, store: Store):
        """`put` changes every detail, and its own name in another case."""
        someone, _ = samples.settled(store, "Aroma")
        changed = evolve(
            someone, partner_name="AROMA", status="offboarded", currency="JPY", time_zone="UTC",
            contact_email="a@b.c", updated_at=T0 + DAY,
        )  # fmt: skip
        with store.begin() as unit:
            unit.partners.put(changed)
        with store.begin() as unit:
            assert unit.partners.get(someone.partner_id) == changed
            assert unit.partners.find("aroma") == changed

    def test_put_gives_the_old_name_free(self, store: Store):
        """A partner that was renamed is no longer found by its old name, which another may take."""
        someone, _ = samples.settled(store, "Aroma")
        with store.begin() as unit:
            unit.partners.put(someone.changed(T0, partner_name="Bouquet"))
            assert unit.partners.find("Aroma") is None
            unit.partners.add(samples.partner("aroma"))

    def test_put_cant_take_a_name(self, store: Store):
        """`put` refuses the name of another partner: Conflict `partner_name_taken`."""
        samples.settled(store, "Aroma")
        other, _ = samples.settled(store, "Bouquet")
        with pytest.raises(Conflict) as refused, store.begin() as unit:
            unit.partners.put(other.changed(T0, partner_name="AROMA"))
        assert refused.value.code == "partner_name_taken"

    def test_put_replaces_what_there_is(self, store: Store):
        """`put` of a partner that was never added is NotFound."""
        with pytest.raises(NotFound), store.begin() as unit:
            unit.partners.put(samples.partner())

    def test_names_of_partners(self, store: Store):
        """`names` gives the names of those that there are."""
        one, _ = samples.settled(store, "One")
        two, _ = samples.settled(store, "Two")
        samples.settled(store, "Three")
        wanted = [two.partner_id, samples.new_id("ptn"), one.partner_id, one.partner_id]
        with store.begin() as unit:
            assert unit.partners.names(wanted) == {one.partner_id: "One", two.partner_id: "Two"}
            assert unit.partners.names([]) == {}

    def test_a_query_names_the_only_partner_to_see(self, store: Store):
        """With a partner's id, `page` and `count` see that one alone."""
        one, _ = samples.settled(store)
        samples.settled(store)
        with store.begin() as unit:
            assert unit.partners.page(one.partner_id, None, 10).items == (one,)
            assert unit.partners.count(one.partner_id) == 1
            assert unit.partners.count(samples.new_id("ptn")) == 0


class TestSources:
    def test_a_source_is_kept_as_it_is(self, store: Store):
        """`get` and `find` give the very source that was added."""
        someone, main = samples.settled(store)
        stock = samples.source(someone, "stock", "delta")
        with store.begin() as unit:
            unit.sources.add(stock)
        with store.begin() as unit:
            assert unit.sources.get(stock.source_id) == stock
            assert unit.sources.find(someone.partner_id, "stock") == stock
            assert unit.sources.find(someone.partner_id, "main") == main

    def test_a_source_is_found_by_partner_and_name(self, store: Store):
        """`find` gives None where that partner has no source of just that name."""
        someone, _ = samples.settled(store)
        with store.begin() as unit:
            unit.sources.add(samples.source(someone, "Stock"))
            assert unit.sources.find(someone.partner_id, "stock") is None
            assert unit.sources.find(someone.partner_id, "Stock ") is None
            assert unit.sources.find(samples.new_id("ptn"), "main") is None

    def test_names_are_unique_within_a_partner(self, store: Store):
        """`add` refuses the name of another source of the partner: Conflict `source_name_taken`."""
        someone, _ = samples.settled(store)
        with pytest.raises(Conflict) as refused, store.begin() as unit:
            unit.sources.add(samples.source(someone))
        assert refused.value.code == "source_name_taken"

    def test_partners_share_names_of_sources(self, store: Store):
        """Each partner has names of its own."""
        one, main_of_one = samples.settled(store)
        other, main_of_other = samples.settled(store)
        with store.begin() as unit:
            assert unit.sources.find(one.partner_id, "main") == main_of_one
            assert unit.sources.find(other.partner_id, "main") == main_of_other

    def test_sources_of_a_partner(self, store: Store):
        """`of` gives all sources of the partner and no others, by name."""
        someone, main = samples.settled(store)
        samples.settled(store)
        more = [samples.source(someone, name) for name in ("é", "a", "Z", "m-1", "m_1", "m")]
        with store.begin() as unit:
            for source in more:
                unit.sources.add(source)
            wanted = sorted([main, *more], key=lambda source: source.source_name)
            assert list(unit.sources.of(someone.partner_id)) == wanted
            assert list(unit.sources.of(samples.new_id("ptn"))) == []

    def test_a_source_is_kept_with_all_its_settings(self, store: Store):
        """What `put` replaced is there as it was put, beside what `add` kept."""
        _, main = samples.settled(store)
        new = main.changed(
            source_name="Lager 📦", mode="delta", run=True, on_error=OnError(Decimal("0.05"), 20),
            snapshot_pattern="stock-{YYYY}{MM}{DD}.csv", guards={"removals": None, "price_leap": 9},
        )  # fmt: skip
        with store.begin() as unit:
            unit.sources.put(new)
        with store.begin() as unit:
            assert unit.sources.get(main.source_id) == new
            assert unit.sources.lock_shared(main.source_id) == new
            assert unit.sources.lock(main.source_id) == new

    def test_put_cant_take_the_name_of_another_source(self, store: Store):
        """Conflict `source_name_taken`; and NotFound where there is nothing to replace."""
        someone, main = samples.settled(store)
        other = samples.source(someone, "other")
        with store.begin() as unit:
            unit.sources.add(other)
        with pytest.raises(Conflict) as refused, store.begin() as unit:
            unit.sources.put(other.changed(source_name="main"))
        assert refused.value.code == "source_name_taken"
        with pytest.raises(NotFound), store.begin() as unit:
            unit.sources.put(samples.source(someone, "never"))
        with store.begin() as unit:
            unit.sources.put(main.changed(run=True))

    def test_sources_are_walked_by_id(self, store: Store):
        """`page` and `count` see all sources, oldest first, or those of one partner."""
        one, main_of_one = samples.settled(store)
        _, main_of_other = samples.settled(store)
        second = samples.source(one, "a")
        with store.begin() as unit:
            unit.sources.add(second)
            assert unit.sources.page(None, None, 10).items == (main_of_one, main_of_other, second)
            assert unit.sources.page(one.partner_id, None, 10).items == (main_of_one, second)
            assert (unit.sources.count(None), unit.sources.count(one.partner_id)) == (3, 2)
            assert list(every(lambda after: unit.sources.page(one.partner_id, after, 1))) == [
                main_of_one,
                second,
            ]

    def test_a_removed_source_is_gone_and_its_name_is_free(self, store: Store):
        """`remove` forgets it, once; NotFound from then on. A unit that fails removes nothing."""
        someone, main = samples.settled(store)
        with store.begin(dry_run=True) as unit:
            unit.sources.remove(main.source_id)
        with store.begin() as unit:
            unit.sources.remove(main.source_id)
        with store.begin() as unit:
            assert unit.sources.find(someone.partner_id, "main") is None
            for look in (unit.sources.get, unit.sources.lock_shared, unit.sources.lock):
                with pytest.raises(NotFound):
                    look(main.source_id)
            with pytest.raises(NotFound):
                unit.sources.remove(main.source_id)
            unit.sources.add(samples.source(someone))

    def test_a_source_that_is_held_is_not_removed_meanwhile(self, store: Store):
        """Whoever locks it waits for those that hold it, and sees what they have written."""
        _, main = samples.settled(store)
        feed = samples.feed(main)

        def look() -> Sequence[UnderWay]:
            with store.begin() as unit:
                unit.sources.lock(main.source_id)
                return unit.jobs.under_way(main.source_id)

        with store.begin() as unit:
            unit.sources.lock_shared(main.source_id)
            looking = meanwhile(look)
            unit.feeds.add(feed)
            unit.jobs.add(samples.job(feed))
            assert_waits(looking)
        assert [job.feed_id for job in looking.result(PATIENCE)] == [feed.feed_id]

    def test_a_source_begins_without_a_profile(self, store: Store):
        """`profile` is `UNPROFILED` before any was saved."""
        _, main = samples.settled(store)
        with store.begin() as unit:
            assert unit.sources.profile(main.source_id) == UNPROFILED

    def test_the_latest_profile_counts(self, store: Store):
        """`profile` gives the version that was saved last, whole, of that source alone."""
        someone, main = samples.settled(store)
        other = samples.source(someone, "other")
        column = Column(
            ("Prix", "Ω"), join=" ", pattern="([0-9]+)", otherwise="blank", values={"a": "b"},
            decimal=",", unit="minor", currency="JPY", dates="DD.MM.YYYY", pairs=(("=A", "B"),),
        )  # fmt: skip
        whole = Profile(
            preset="shopify", encoding="cp1252", delimiter="\t", quotes="none", header_line=2,
            decimal=",", currency="EUR", columns={"price": column}, constants={"brand": "Ω"},
            identity=("{A}/{B}",), attributes=("A", "B"), skip=(Skip("S", ("x", "y"), "why"),),
            group=Group("H", ("C",), ("O",), "P"), aliases=False,
        )  # fmt: skip
        saved = [
            SavedProfile(version, profile, "Ω", T0 + version * DAY)
            for version, profile in enumerate([CANONICAL, whole, CANONICAL, whole], start=1)
        ]
        with store.begin() as unit:
            unit.sources.add(other)
        for version in saved:
            with store.begin() as unit:
                unit.sources.save_profile(main.source_id, version)
            with store.begin() as unit:
                assert unit.sources.profile(main.source_id) == version
                assert unit.sources.profile(main.source_id, version.version) == version
                assert unit.sources.profile(main.source_id, version.version - 1) != version
                assert unit.sources.profile(main.source_id, 0) == UNPROFILED
                assert unit.sources.profile(other.source_id) == UNPROFILED

    def test_a_version_is_saved_once(self, store: Store):
        """Of two who save the same version one is refused: Conflict `profile_changed`."""
        _, main = samples.settled(store)

        def save(author: str) -> str:
            try:
                with store.begin() as unit:
                    saved = SavedProfile(1, CANONICAL, author, T0)
                    unit.sources.save_profile(main.source_id, saved)
            except Conflict as refused:
                return refused.code
            return "saved"

        told = together(lambda: save("one"), lambda: save("other"), lambda: save("third"))
        assert sorted(told) == ["profile_changed", "profile_changed", "saved"]
        with store.begin() as unit:
            assert unit.sources.profile(main.source_id).version == 1


class TestKeys:
    def test_a_key_is_kept_as_it_is(self, store: Store):
        """`get` and `find` give the very key that was added, the operator's too."""
        someone, _ = samples.settled(store)
        keys = [
            samples.key(someone),
            evolve(samples.key(), scopes=("keys:write", "partners:read"), digest=bytes(range(32))),
        ]
        with store.begin() as unit:
            for key in keys:
                unit.keys.add(key)
        with store.begin() as unit:
            for key in keys:
                assert unit.keys.get(key.key_id) == key
                assert unit.keys.find(key.digest) == key

    def test_an_unknown_digest_finds_nothing(self, store: Store):
        """`find` gives None where no key has the digest."""
        with store.begin() as unit:
            unit.keys.add(samples.key())
            assert unit.keys.find(b"\0" * 32) is None

    def test_a_revoked_key_is_found(self, store: Store):
        """`put` replaces a key; `find` gives it revoked, too."""
        key = samples.key()
        revoked = evolve(key, revoked_at=T0 + DAY)
        with store.begin() as unit:
            unit.keys.add(key)
            unit.keys.put(revoked)
        with store.begin() as unit:
            assert unit.keys.find(key.digest) == unit.keys.get(key.key_id) == revoked

    def test_put_replaces_what_there_is(self, store: Store):
        """`put` of a key that was never added is NotFound."""
        with pytest.raises(NotFound), store.begin() as unit:
            unit.keys.put(samples.key())

    def test_a_query_names_the_partner_whose_keys_to_see(self, store: Store):
        """With a partner's id, `page` and `count` see its keys; with None everybody's."""
        one, _ = samples.settled(store)
        other, _ = samples.settled(store)
        keys = [samples.key(one), samples.key(other), samples.key(), samples.key(one)]
        with store.begin() as unit:
            for key in keys:
                unit.keys.add(key)
            assert unit.keys.page(one.partner_id, None, 10).items == (keys[3], keys[0])
            assert unit.keys.count(one.partner_id) == 2
            assert unit.keys.page(None, None, 10).items == tuple(reversed(keys))
            assert unit.keys.count(None) == 4

    def test_a_key_is_kept_with_its_terms(self, store: Store):
        """Name, expiry and successor, as they were added and as `put` replaced them."""
        someone, _ = samples.settled(store)
        key = evolve(samples.key(someone), key_name="shop 📦", expires_at=T0 + DAY)
        with store.begin() as unit:
            unit.keys.add(key)
        successor = evolve(key, expires_at=T0, successor_id=samples.new_id("key"))
        with store.begin() as unit:
            assert unit.keys.lock(key.key_id) == key
            unit.keys.put(successor)
        with store.begin() as unit:
            assert unit.keys.get(key.key_id) == successor

    def test_a_use_is_noted_once_a_minute(self, store: Store):
        """`note_use` keeps the first of several uses; `put` leaves it alone."""
        key = samples.key()
        with store.begin() as unit:
            unit.keys.add(key)
        for at, noted in (
            (T0, T0),
            (T0 + USE_NOTED_EVERY - SECOND, T0),
            (T0 + USE_NOTED_EVERY, T0 + USE_NOTED_EVERY),
            (T0, T0 + USE_NOTED_EVERY),
        ):
            with store.begin() as unit:
                unit.keys.note_use(key.key_id, at)
            with store.begin() as unit:
                assert unit.keys.get(key.key_id).last_used_at == noted
        with store.begin() as unit:
            unit.keys.put(evolve(key, key_name="other"))
            assert unit.keys.get(key.key_id).last_used_at == T0 + USE_NOTED_EVERY
            unit.keys.note_use(samples.new_id("key"), T0)

    def test_all_keys_of_a_partner_are_revoked_at_once(self, store: Store):
        """`revoke_of` returns those that it revoked, in order, and touches no others."""
        someone, _ = samples.settled(store)
        keys = [samples.key(someone), samples.key(someone), samples.key(), samples.key(someone)]
        revoked = evolve(keys[1], revoked_at=T0)
        with store.begin() as unit:
            for key in keys:
                unit.keys.add(key)
            unit.keys.put(revoked)
        with store.begin() as unit:
            ids = [keys[0].key_id, keys[3].key_id]
            assert unit.keys.revoke_of(someone.partner_id, T0 + DAY) == ids
        with store.begin() as unit:
            assert unit.keys.get(keys[0].key_id).revoked_at == T0 + DAY
            assert unit.keys.get(revoked.key_id) == revoked
            assert unit.keys.get(keys[2].key_id) == keys[2]
            assert unit.keys.revoke_of(someone.partner_id, T0 + DAY) == []
