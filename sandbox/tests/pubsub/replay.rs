//! Where a subscription begins, and positions that cannot be begun from.

use crate::house::{CHANGES, House, OPPORTUNITIES, house};
use crate::subscriber::{Subscriber, after, from, told};
use crate::wire::{FetchRequest, ReplayPreset};
use tonic::Code;

#[tokio::test]
async fn a_position_of_eight_or_ten_bytes_is_begun_behind() {
    let house = house().await;
    let at = house.append("OpportunityChangeEvent", 4);
    for bytes in [at[1].to_bytes().as_slice(), &at[1].to_bytes()[..8]] {
        let mut subscriber = Subscriber::of(&house, after(OPPORTUNITIES, bytes, 10)).await;
        let got = subscriber.events(2).await;
        assert_eq!(got, [at[2].to_bytes(), at[3].to_bytes()]);
    }
}

#[tokio::test]
async fn the_presets_are_the_tip_and_everything() {
    let house = house().await;
    let at = house.append("OpportunityChangeEvent", 2);
    let mut late = Subscriber::of(&house, from(OPPORTUNITIES, ReplayPreset::Latest, 10)).await;
    assert_eq!(late.stands().await.latest_replay_id, at[1].to_bytes());
    let mut early = Subscriber::of(&house, from(OPPORTUNITIES, ReplayPreset::Earliest, 10)).await;
    assert_eq!(early.events(2).await[0], at[0].to_bytes());
    let next = house.append("OpportunityChangeEvent", 1)[0].to_bytes();
    assert_eq!(
        (late.events(1).await, early.events(1).await),
        (vec![next.to_vec()], vec![next.to_vec()])
    );
}

#[tokio::test]
async fn a_channel_carries_all_kinds_in_one_order() {
    let house = house().await;
    let mut all = Subscriber::of(&house, from(CHANGES, ReplayPreset::Latest, 10)).await;
    all.stands().await;
    let mut at = Vec::new();
    for kind in [
        "OpportunityChangeEvent",
        "Ping__e",
        "AccountChangeEvent",
        "OpportunityChangeEvent",
    ] {
        let made = house.append(kind, 1);
        at.extend((kind != "Ping__e").then(|| made[0].to_bytes().to_vec()));
    }
    assert_eq!(all.events(3).await, at);
}

async fn refusal(house: &House, first: FetchRequest) -> (Code, String) {
    told(&Subscriber::of(house, first).await.error().await)
}

#[tokio::test]
async fn positions_that_are_none_are_refused() {
    let house = house().await;
    let last = house.append("OpportunityChangeEvent", 2)[1];
    let corrupted = (
        Code::InvalidArgument,
        "subscription.fetch.replayid.corrupted".to_owned(),
    );
    let beyond = sandbox::events::ReplayId(last.0 + 1_000_000).to_bytes();
    for bytes in [&[1][..], &[0; 9], &[9; 10], &[0; 11], b"12907414", &beyond] {
        assert_eq!(
            refusal(&house, after(OPPORTUNITIES, bytes, 1)).await,
            corrupted,
            "{bytes:?}"
        );
    }
    let missing = (
        Code::InvalidArgument,
        "subscription.fetch.replayid.validation.failed".to_owned(),
    );
    assert_eq!(refusal(&house, after(OPPORTUNITIES, b"", 1)).await, missing);
    let strange = FetchRequest {
        replay_preset: 7,
        ..from(OPPORTUNITIES, ReplayPreset::Latest, 1)
    };
    assert_eq!(refusal(&house, strange).await, missing);
}

#[tokio::test]
async fn after_three_days_a_position_is_worth_nothing_and_a_keepalive_kept_it_fresh() {
    let house = house().await;
    let old = house.append("OpportunityChangeEvent", 2);
    house.advance(73 * 3_600).await;
    let fresh = house.append("AccountChangeEvent", 1)[0];
    let house = House {
        token: house.login().await,
        ..house
    };
    let corrupted = (
        Code::InvalidArgument,
        "subscription.fetch.replayid.corrupted".to_owned(),
    );
    assert_eq!(
        refusal(&house, after(OPPORTUNITIES, &old[0].to_bytes(), 1)).await,
        corrupted
    );
    let mut subscriber = Subscriber::of(&house, from(OPPORTUNITIES, ReplayPreset::Earliest, 1)).await;
    assert_eq!(subscriber.stands().await.latest_replay_id, fresh.to_bytes());
    let mut subscriber = Subscriber::of(&house, after(OPPORTUNITIES, &fresh.to_bytes(), 1)).await;
    subscriber.stands().await;
}

#[tokio::test]
async fn a_stream_outlives_the_retention_of_what_it_has_seen() {
    let house = house().await;
    let mut subscriber = Subscriber::of(&house, from(OPPORTUNITIES, ReplayPreset::Latest, 10)).await;
    for _ in 0..40 {
        house.append("AccountChangeEvent", 1);
        subscriber.stands().await;
        house.advance(7_000).await;
        subscriber.stands().await;
    }
    let next = house.append("OpportunityChangeEvent", 1)[0];
    assert_eq!(subscriber.batch().await.events[0].replay_id, next.to_bytes());
}
