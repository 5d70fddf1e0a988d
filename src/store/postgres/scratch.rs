//! A schema of its own in a database that others use too, for a trial or a measurement.

use cpq_domain::Result;

use super::address::Address;
use super::failure::failure;
use super::pool::connector;

/// Makes an empty schema and returns the URL of a store in it. `name` has letters, digits and `_`.
///
/// # Errors
/// [`cpq_domain::Code::ConfigInvalid`] for a URL that makes no sense, [`cpq_domain::Code::StoreUnavailable`] when the
/// server refuses.
pub async fn make_schema(url: &str, name: &str) -> Result<String> {
    run(url, &format!("CREATE SCHEMA \"{}\"", word(name))).await?;
    let separator = match url.contains('?') {
        true => '&',
        false => '?',
    };
    Ok(format!("{url}{separator}options=-csearch_path%3D{}", word(name)))
}

/// Takes the schema away, with everything in it. `url` is the one that it was made with.
///
/// # Errors
/// As for [`make_schema`].
pub async fn remove_schema(url: &str, name: &str) -> Result<()> {
    run(url, &format!("DROP SCHEMA IF EXISTS \"{}\" CASCADE", word(name))).await
}

/// Nothing but letters, digits and `_` gets into a statement.
fn word(name: &str) -> String {
    name.chars()
        .filter(|letter| letter.is_ascii_alphanumeric() || *letter == '_')
        .collect()
}

async fn run(url: &str, sql: &str) -> Result<()> {
    let address = Address::parse(url)?;
    let failed = |cause| failure(&address.place, "to make a schema", &cause).0;
    let connected = address.config.connect(connector(&address)?).await;
    let (client, connection) = connected.map_err(failed)?;
    let driven = tokio::spawn(connection);
    let done = client.batch_execute(sql).await.map_err(failed);
    drop(client);
    // What the connection has to say at its end, the statement has said.
    drop(driven.await);
    done
}
