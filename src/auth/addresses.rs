//! What an address is good for (IANA "IPv4 Special-Purpose Address Registry" and "IPv6 Special-Purpose Address Registry").

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What an address leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A host of the internet.
    Public,
    /// A host of a network that is not the internet.
    Private,
    /// This machine.
    Loopback,
    /// Nothing that a CRM or CPQ can be: link-local, multicast, reserved, or where a cloud tells a machine its secrets.
    Never,
}

/// Where clouds tell machines their secrets, besides 169.254.169.254, which is link-local: Amazon's by IPv6, Alibaba's,
/// Azure's and Oracle's.
const METADATA: [IpAddr; 4] = [
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
];

/// What the address leads to.
pub(crate) fn kind(address: IpAddr) -> Kind {
    if METADATA.contains(&address) {
        return Kind::Never;
    }
    match address {
        IpAddr::V4(address) => of_v4(address),
        IpAddr::V6(address) => match inner(address) {
            Some(inner) => kind(IpAddr::V4(inner)),
            None => of_v6(address),
        },
    }
}

fn of_v4(address: Ipv4Addr) -> Kind {
    let [a, b, c, _] = address.octets();
    match (a, b, c) {
        (127, ..) => Kind::Loopback,
        (0 | 224.., ..) | (169, 254, _) => Kind::Never,
        // Documentation; nobody is there.
        (192, 0, 2) | (198, 51, 100) | (203, 0, 113) => Kind::Never,
        (10, ..)
        | (172, 16..=31, _)
        | (192, 168, _)
        | (100, 64..=127, _)
        | (198, 18..=19, _)
        | (192, 0, 0) => Kind::Private,
        _ => Kind::Public,
    }
}

fn of_v6(address: Ipv6Addr) -> Kind {
    let [first, second, ..] = address.segments();
    match first {
        _ if address.is_loopback() => Kind::Loopback,
        _ if address.is_unspecified() => Kind::Never,
        0xfe80..=0xfebf | 0xff00.. => Kind::Never,
        0x2001 if second == 0xdb8 => Kind::Never,
        // Unique local, and the site-local ones that came before them.
        0xfc00..=0xfdff | 0xfec0..=0xfeff => Kind::Private,
        0x2000..=0x3fff | 0x0064 => Kind::Public,
        _ => Kind::Never,
    }
}

/// The IPv4 address that an IPv6 address stands for: mapped, compatible, by NAT64 (RFC 6052) or by 6to4 (RFC 3056).
fn inner(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let parts = address.segments();
    let joined = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    match parts {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x0064, 0xff9b, 0, 0, 0, 0, high, low] => {
            Some(joined(high, low))
        }
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => Some(joined(high, low)),
        [0x2002, high, low, ..] => Some(joined(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_is_what_the_registries_say() {
        let table = [
            (
                Kind::Public,
                "8.8.8.8 172.15.0.1 172.32.0.1 100.128.0.1 2606:4700::1111 64:ff9b::808:808 ::ffff:8.8.8.8",
            ),
            (
                Kind::Private,
                "10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 100.64.0.1 198.18.0.1 fc00::1 fd12::1",
            ),
            (
                Kind::Private,
                "::ffff:10.0.0.1 64:ff9b::a00:1 2002:a00:1:: fec0::1",
            ),
            (
                Kind::Loopback,
                "127.0.0.1 127.255.255.254 ::1 ::ffff:127.0.0.1 64:ff9b::7f00:1 ::127.0.0.1",
            ),
            (
                Kind::Never,
                "169.254.169.254 169.254.0.1 fe80::1 fd00:ec2::254 100.100.100.200 168.63.129.16 192.0.0.192",
            ),
            (
                Kind::Never,
                "0.0.0.0 :: 224.0.0.1 255.255.255.255 ff02::1 ::ffff:169.254.169.254 64:ff9b::a9fe:a9fe",
            ),
            (
                Kind::Never,
                "2002:a9fe:a9fe:: ::ffff:100.100.100.200 240.0.0.1 192.0.2.1 2001:db8::1",
            ),
        ];
        for (wanted, addresses) in table {
            for text in addresses.split(' ') {
                assert_eq!(kind(text.parse().expect(text)), wanted, "{text}");
            }
        }
    }
}
