//! How often somebody may come: requests of one client, logins and refused tokens from one address.
//!
//! Counted in this process alone, as a rate that recovers steadily (GCRA). A token is looked at even where many were
//! refused before: one that is good passes, so that a program that goes on with a revoked token does not lock out those
//! behind the same address. Nobody guesses 256 bits; what is held back is the noise. A login by a person is held back
//! before it is looked at.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;

use cpq_domain::{Code, Error, Result};
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::limits;

/// The counts of one process. Cheap to clone.
#[derive(Clone)]
pub struct Throttle(Arc<Counts>);

struct Counts {
    /// `None` where they are not counted.
    clients: Option<DefaultKeyedRateLimiter<String>>,
    refusals: Option<DefaultKeyedRateLimiter<IpAddr>>,
    logins: Option<DefaultKeyedRateLimiter<IpAddr>>,
}

/// How often somebody may come; 0 each time: as often as they like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Requests of one client in a second, over time.
    pub per_second: u32,
    /// Requests of one client at once, after a pause.
    pub burst: u32,
    /// Requests from one address in a minute that are refused for their key.
    pub refusals_per_minute: u32,
    /// Logins that are tried from one address in a minute.
    pub logins_per_minute: u32,
}

impl Default for Rate {
    fn default() -> Self {
        Rate {
            per_second: 0,
            burst: 0,
            refusals_per_minute: limits::REFUSALS_PER_MINUTE,
            logins_per_minute: limits::LOGINS_PER_MINUTE,
        }
    }
}

impl Throttle {
    /// Nobody has come yet.
    pub fn new(rate: Rate) -> Throttle {
        let clients = NonZeroU32::new(rate.per_second)
            .map(|per_second| Quota::per_second(per_second).allow_burst(at_least_one(rate.burst)));
        Throttle(Arc::new(Counts {
            clients: clients.map(RateLimiter::keyed),
            refusals: per_minute(rate.refusals_per_minute).map(RateLimiter::keyed),
            logins: per_minute(rate.logins_per_minute).map(RateLimiter::keyed),
        }))
    }

    /// Counts a request of a client. [`Code::Overloaded`] if it comes too often.
    pub(crate) fn client(&self, client: &str) -> Result<()> {
        counted(
            &self.0.clients,
            || client.to_owned(),
            || format!("the client {client} sends more requests than it may"),
        )
    }

    /// Counts a request that was refused for who sent it. [`Code::Overloaded`] if there were many from that address.
    pub(crate) fn refusal(&self, address: IpAddr) -> Result<()> {
        counted(
            &self.0.refusals,
            || network(address),
            || "too many requests from this address carried no key that is good".to_owned(),
        )
    }

    /// Counts a login that is tried. [`Code::Overloaded`] if there were many from that address.
    pub fn login(&self, address: IpAddr) -> Result<()> {
        counted(
            &self.0.logins,
            || network(address),
            || "too many logins were tried from this address".to_owned(),
        )
    }
}

fn counted<K: Clone + std::hash::Hash + Eq>(
    limiter: &Option<DefaultKeyedRateLimiter<K>>,
    key: impl FnOnce() -> K,
    told: impl FnOnce() -> String,
) -> Result<()> {
    let Some(limiter) = limiter else {
        return Ok(());
    };
    if limiter.len() > limits::THROTTLED {
        limiter.retain_recent();
    }
    limiter.check_key(&key()).map_err(|until| {
        let pause = until.wait_time_from(DefaultClock::default().now());
        let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX).max(1);
        Error::new(Code::Overloaded, told()).retry_after_ms(pause_ms)
    })
}

/// Whom an address stands for: a host of IPv6 has a whole network of 64 bits to take addresses from (RFC 4291 §2.5.4).
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        old => old,
    }
}

fn per_minute(times: u32) -> Option<Quota> {
    NonZeroU32::new(times).map(Quota::per_minute)
}

fn at_least_one(times: u32) -> NonZeroU32 {
    NonZeroU32::new(times).unwrap_or(NonZeroU32::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_too_often_waits_and_others_do_not() {
        let throttle = Throttle::new(Rate {
            per_second: 1,
            burst: 3,
            ..Rate::default()
        });
        for _ in 0..3 {
            throttle.client("erp").expect("within the burst");
        }
        let refused = throttle.client("erp").expect_err("one too many");
        assert_eq!(refused.code, Code::Overloaded);
        assert!(refused.retry_after_ms.is_some_and(|pause| pause <= 1_000));
        throttle.client("portal").expect("another client");
        let free = Throttle::new(Rate {
            refusals_per_minute: 0,
            logins_per_minute: 0,
            ..Rate::default()
        });
        let address = IpAddr::from([192, 0, 2, 1]);
        for _ in 0..10_000 {
            free.client("erp").expect("no limit");
            free.refusal(address).expect("no limit");
            free.login(address).expect("no limit");
        }
    }

    #[test]
    fn an_address_of_version_6_is_its_network() {
        let throttle = Throttle::new(Rate::default());
        let of = |last: u16| IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, last]);
        for last in 0..limits::LOGINS_PER_MINUTE {
            throttle.login(of(last as u16)).expect("within the burst");
        }
        assert!(
            throttle.login(of(9_999)).is_err(),
            "a new address of the same host"
        );
        throttle
            .login(IpAddr::from([0x2001, 0xdb8, 0, 2, 0, 0, 0, 1]))
            .expect("another one");
        let mapped: IpAddr = "::ffff:192.0.2.1".parse().expect("an address");
        assert_eq!(network(mapped), IpAddr::from([192, 0, 2, 1]));
    }
}
