//! The matrix in force while a service runs: one that is applied, or a file that is changed, counts without a restart.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use cpq_api::InForce;
use cpq_domain::ownership::Matrix;
use cpq_domain::world::World;
use cpq_domain::{Error, Result};
use cpq_store::Store;

use super::in_force;
use crate::config::Config;

/// A person who applies a matrix waits for it; a look is one small read.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The matrix in force. A run takes it once and decides under it to its end.
pub struct Live(RwLock<InForce>);

impl Live {
    /// The matrix in force now.
    pub async fn load(config: &Config, store: &Store, world: &dyn World) -> Result<Live> {
        let matrix = in_force(config, store, world.now()).await?;
        Ok(Live(RwLock::new(InForce {
            matrix: Arc::new(matrix),
            refused: None,
        })))
    }

    /// The last good one, and why a newer one was refused.
    pub fn in_force(&self) -> InForce {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The last good one.
    pub fn now(&self) -> Arc<Matrix> {
        self.in_force().matrix
    }

    /// Looks again, for as long as the process lives. One that does not parse is told once and changes nothing.
    pub fn follow(self: Arc<Live>, config: Config, store: Store, world: Arc<dyn World>) {
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(LOOK_EVERY).await;
                match in_force(&config, &store, world.now()).await {
                    Ok(matrix) => self.take(matrix),
                    Err(error) => self.refuse(&error),
                }
            }
        });
    }

    fn refuse(&self, error: &Error) {
        let at = error.facts.as_ref().and_then(|facts| facts.get("at")?.as_str());
        let why = match at {
            Some(at) => format!("{error} ({at})"),
            None => error.to_string(),
        };
        let before = self.in_force();
        if before.refused.as_ref() == Some(&why) {
            return;
        }
        let in_force = before.matrix.version();
        tracing::error!(code = %error.code, in_force, "{why}; the matrix before stays in force");
        self.put(InForce {
            refused: Some(why),
            ..before
        });
    }

    fn take(&self, matrix: Matrix) {
        let before = self.in_force();
        let same = before.matrix.version() == matrix.version();
        if same && before.refused.is_none() {
            return;
        }
        if !same {
            let (from, to) = (before.matrix.version(), matrix.version());
            let fields = before.matrix.differences(&matrix).len();
            tracing::info!(from, to, fields, "another ownership matrix is in force");
        }
        self.put(InForce {
            matrix: Arc::new(matrix),
            refused: None,
        });
    }

    fn put(&self, in_force: InForce) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = in_force;
    }
}
