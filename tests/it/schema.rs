//! A schema of its own on the server that `./test` starts.

use cpq_store::StoreOptions;

use crate::house::House;

/// Dead processes are given up after two seconds.
pub const SHORT_LEASE: &str = "[service]\nlease_seconds = 2\n";

/// An empty schema. A test that failed leaves it for a look.
pub struct Schema {
    server: String,
    name: String,
    pub url: String,
    pub runtime: tokio::runtime::Runtime,
}

impl Schema {
    /// `name` tells it from the others of this process.
    pub fn new(name: &str) -> Schema {
        let server = std::env::var("CPQ_TEST_POSTGRES_URL").expect("a PostgreSQL server; see ./test");
        let name = format!("c{}_{name}", std::process::id());
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let url = runtime
            .block_on(cpq_store::make_schema(&server, &name))
            .expect("a schema");
        Schema {
            server,
            name,
            url,
            runtime,
        }
    }

    /// Where its store is.
    pub fn options(&self) -> StoreOptions {
        StoreOptions::at_url(&self.url).expect("a URL")
    }

    /// From now on it is the configured store of the house, with further sections of the configuration.
    pub fn configure(&self, house: &House, more: &str) {
        let store = format!("[store]\nurl = \"{}\"\n{more}", self.url);
        std::fs::write(house.path().join("cpq.toml"), store).expect("the configuration");
    }

    /// Takes the schema away.
    pub fn remove(self) {
        let removed = self
            .runtime
            .block_on(cpq_store::remove_schema(&self.server, &self.name));
        removed.expect("removed");
    }
}
