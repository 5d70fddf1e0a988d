//! Sharing a discount out over lines in whole minor units, by largest remainder (Hamilton's method).

use std::cmp::Reverse;

use cpq_domain::id::LineKey;
use rust_decimal::Decimal;

use crate::limits::INPUT_SCALE;

/// Parts that make 100 percent when percents are counted in steps of their finest digit.
pub(super) const WHOLE: i128 = 100 * 10_i128.pow(INPUT_SCALE);

/// A percent as a whole number of [`WHOLE`].
pub(super) fn parts(mut percent: Decimal) -> i128 {
    percent.rescale(INPUT_SCALE);
    percent.mantissa()
}

/// `numerator / denominator` rounded half away from zero; both at least 0.
pub(super) fn half_away(numerator: i128, denominator: i128) -> i128 {
    let (whole, rest) = (numerator / denominator, numerator % denominator);
    // Written without doubling the rest, which could overflow at the largest amounts.
    whole + i128::from(rest >= denominator - rest)
}

/// One line's part of a discount: the ideal share rounded down, and what the rounding took from it.
pub(super) struct Share {
    line: usize,
    floor: i128,
    rest: i128,
}

impl Share {
    /// The share of a line with this net: `net × numerator / denominator`, the denominator above 0.
    ///
    /// Nets and numerators stay within 10^19 (the largest amount in the finest minor unit), so the product fits.
    pub(super) fn new(line: usize, net: i128, numerator: i128, denominator: i128) -> Share {
        let ideal = net * numerator;
        Share {
            line,
            floor: ideal.div_euclid(denominator),
            rest: ideal.rem_euclid(denominator),
        }
    }
}

/// Whole shares that add up to `total`: the missing units go to the largest remainders, and between equal ones to the
/// smaller line key, so that the order of the lines never matters.
pub(super) fn spread<'a>(
    mut shares: Vec<Share>,
    total: i128,
    key: impl Fn(usize) -> &'a LineKey,
) -> Vec<(usize, i128)> {
    let missing = total - shares.iter().map(|share| share.floor).sum::<i128>();
    shares.sort_by(|a, b| (Reverse(a.rest), key(a.line)).cmp(&(Reverse(b.rest), key(b.line))));
    let missing = usize::try_from(missing).expect("rounding down never takes less than nothing");
    let shares = shares.into_iter().enumerate();
    shares
        .map(|(rank, share)| (share.line, share.floor + i128::from(rank < missing)))
        .collect()
}
