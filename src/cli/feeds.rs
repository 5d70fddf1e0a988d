//! `cpq feeds`: whether changes in the CRM are learnt of.

use cpq_api::feeds::{Feed, Feeds};
use cpq_domain::Result;
use cpq_domain::change::FeedState;

use crate::cli::client::Client;
use crate::cli::output::{Output, table};
use crate::config::{ChangesMode, Config};

/// Runs the command. Exit status 1 if a feed is not being read.
pub async fn run(config: Config, output: Output) -> Result<u8> {
    let client = Client::connect(&config).await?;
    let answer = client.get("/api/v1/feeds").await;
    client.close().await;
    let feeds: Feeds = answer?.json()?;
    if feeds.feeds.is_empty() {
        output.say(match config.changes.mode {
            ChangesMode::Off => "changes.mode is \"off\": no changes are read",
            _ => "no feed was read yet: connect with `cpq auth connect-crm` and start `cpq serve`",
        });
    }
    output.data(&feeds, || told(&feeds.feeds));
    let is_read = |feed: &Feed| feed.is_read && feed.state == FeedState::Live;
    Ok(u8::from(!feeds.feeds.iter().all(is_read)))
}

fn told(feeds: &[Feed]) -> String {
    let rows = feeds.iter().map(|feed| {
        let state = match feed.is_read {
            true => feed.state.as_str(),
            false => "not read",
        };
        let moment = |at: Option<jiff::Timestamp>| at.map_or("-".to_owned(), |at| format!("{at:.0}"));
        vec![
            feed.connection.clone(),
            feed.feed.clone(),
            state.to_owned(),
            feed.lag_seconds.map_or("-".to_owned(), |lag| format!("{lag} s")),
            moment(feed.last_change_at),
            feed.to_do.clone().unwrap_or_default(),
        ]
    });
    let head = ["CONNECTION", "FEED", "STATE", "LAG", "LAST CHANGE", "TO DO"];
    let mut text = table(&head, rows);
    for feed in feeds {
        if let (Some(error), Some(at)) = (&feed.last_error, feed.last_error_at) {
            let (connection, name, code) = (&feed.connection, &feed.feed, error.code);
            text.push_str(&format!(
                "\n{connection} {name} last failed at {at:.0}: {} [{code}]",
                error.message
            ));
        }
    }
    text
}
