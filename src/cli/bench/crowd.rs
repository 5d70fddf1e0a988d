//! Many callers at once, and how long each of their calls took.

use std::sync::atomic::{AtomicUsize, Ordering};

use cpq_domain::Result;
use cpq_domain::world::World;

use crate::world::RealWorld;

/// Callers at once, each with a connection of its own.
pub const CALLERS: usize = 64;

/// Makes so many calls, numbered from 0, each caller one after the other; the milliseconds that each took, in no order.
pub async fn walls<F>(world: &RealWorld, calls: usize, one: impl Fn(usize) -> F) -> Result<Vec<f64>>
where
    F: Future<Output = Result<()>>,
{
    let next = AtomicUsize::new(0);
    let callers = (0..CALLERS).map(|_| async {
        let mut walls = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= calls {
                return Ok::<_, cpq_domain::Error>(walls);
            }
            let begin = world.monotonic_us();
            one(number).await?;
            walls.push((world.monotonic_us() - begin) as f64 / 1_000.0);
        }
    });
    Ok(futures_util::future::try_join_all(callers).await?.concat())
}

/// The time within which so many of a hundred ended.
pub fn share(walls: &mut [f64], of_hundred: usize) -> f64 {
    walls.sort_by(f64::total_cmp);
    let at = (walls.len() * of_hundred).div_ceil(100).saturating_sub(1);
    walls.get(at).copied().unwrap_or_default()
}
