//! A schema of its own on the server that `./test` starts.

use std::sync::atomic::{AtomicU32, Ordering};

use cpq_store::{Store, StoreOptions, make_schema, remove_schema};

/// Variable with the URL of a database that may be written to.
const URL: &str = "CPQ_TEST_POSTGRES_URL";

/// Schemas that this process has made.
static MADE: AtomicU32 = AtomicU32::new(0);

/// An empty schema.
pub struct Schema {
    name: String,
    server: String,
    url: String,
}

impl Schema {
    pub async fn new() -> Schema {
        let server =
            std::env::var(URL).unwrap_or_else(|_| panic!("{URL} names no PostgreSQL server; see ./test"));
        let name = format!("t{}_{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let url = make_schema(&server, &name).await.expect("a schema");
        Schema { name, server, url }
    }

    /// URL of the store in the schema.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where the store is.
    pub fn options(&self) -> StoreOptions {
        StoreOptions::at_url(&self.url).expect("a URL")
    }

    /// The store in the schema.
    pub async fn open(&self) -> Store {
        Store::open(self.options()).await.expect("the store opens")
    }

    /// Takes the schema away. A test that failed leaves it for a look.
    pub async fn remove(self) {
        remove_schema(&self.server, &self.name).await.expect("removed");
    }
}
