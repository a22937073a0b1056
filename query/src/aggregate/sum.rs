//! Exact sums of integers and doubles in any order, rounded once at the end.
//!
//! Integers go into 128 bits. Doubles go into one long fixed-point number that reaches from 2^-1074 to beyond 2^1024, in
//! limbs of 32 bits kept in 64, so that carrying can wait (R. Neal, *Fast exact summation using small and large
//! superaccumulators*, 2015). It has place for 2^60 terms.

use crate::evaluate::Datum;
use crate::evaluate::number::to_double;
use crate::value::Value;

const LIMBS: usize = 70;
const LIMB_BITS: u32 = 32;
const LIMB_MASK: u64 = 0xffff_ffff;
const MANTISSA_BITS: u32 = 52;
/// The lowest bit of the lowest limb is 2^-1074.
const UNIT_EXPONENT: i32 = -1074;
/// A term adds less than 2^53 to a limb, which is below 2^32 after carrying: so many fit before it must carry again.
const TERMS_BEFORE_CARRY: u32 = 1_000;

/// A sum that has not been rounded.
#[derive(Debug, Clone, Default)]
pub struct ExactSum {
    integers: i128,
    /// How many terms are held as doubles.
    doubles: u64,
    terms: u64,
    limbs: Option<Box<Limbs>>,
}

#[derive(Debug, Clone)]
struct Limbs {
    limbs: [i64; LIMBS],
    pending: u32,
}

impl ExactSum {
    /// How many numbers were added.
    #[must_use]
    pub fn terms(&self) -> u64 {
        self.terms
    }

    /// Adds a number; anything else is left out.
    pub fn add(&mut self, value: &Datum<'_>) {
        match value {
            Datum::Int(value) => self.add_ints(&[*value]),
            Datum::Float(value) => self.add_doubles(&[*value]),
            _ => {}
        }
    }

    /// Adds integers.
    pub fn add_ints(&mut self, values: &[i64]) {
        self.integers += values.iter().map(|value| i128::from(*value)).sum::<i128>();
        self.terms += values.len() as u64;
    }

    /// Adds finite doubles.
    pub fn add_doubles(&mut self, values: &[f64]) {
        let limbs = self.limbs_mut();
        for value in values {
            limbs.add(*value);
        }
        self.doubles += values.len() as u64;
        self.terms += values.len() as u64;
    }

    /// `SUM`: an integer when all terms are integers and it fits, else the nearest double; `None` when none is near.
    #[must_use]
    pub fn sum(&self) -> Option<Value> {
        match i64::try_from(self.integers) {
            Ok(sum) if self.doubles == 0 => Some(Value::Int(sum)),
            _ => Some(self.rounded()).filter(|sum| sum.is_finite()).map(Value::Float),
        }
    }

    /// `AVG`: the rounded sum divided by the number of terms; `None` of no terms.
    #[must_use]
    pub fn average(&self) -> Option<Value> {
        let terms = to_double(i64::try_from(self.terms).ok().filter(|terms| *terms > 0)?);
        Some(self.rounded() / terms).filter(|average| average.is_finite()).map(Value::Float)
    }

    /// The double nearest to the sum, of two the even one; infinite when beyond the range.
    fn rounded(&self) -> f64 {
        if self.doubles == 0 {
            return int_to_double(self.integers);
        }
        let mut total = self.limbs.clone().unwrap_or_default();
        total.add_integer(self.integers);
        total.rounded()
    }

    /// Memory besides itself.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.limbs.as_ref().map_or(0, |_| size_of::<Limbs>())
    }

    fn limbs_mut(&mut self) -> &mut Limbs {
        self.limbs.get_or_insert_default()
    }
}

#[expect(clippy::cast_precision_loss, reason = "to the nearest double is what is wanted")]
fn int_to_double(int: i128) -> f64 {
    int as f64
}

impl Default for Limbs {
    fn default() -> Self {
        Self { limbs: [0; LIMBS], pending: 0 }
    }
}

impl Limbs {
    fn add(&mut self, value: f64) {
        let bits = value.to_bits();
        // A denormal has the exponent of the least normal and no hidden bit.
        let exponent = (bits >> MANTISSA_BITS) & 0x7ff;
        let hidden = u64::from(exponent > 0) << MANTISSA_BITS;
        let mantissa = (bits & ((1 << MANTISSA_BITS) - 1)) | hidden;
        let position = exponent.saturating_sub(1);
        let shift = position % u64::from(LIMB_BITS);
        let limb = usize::try_from(position / u64::from(LIMB_BITS)).unwrap_or(LIMBS - 2);
        let low = ((mantissa << shift) & LIMB_MASK).cast_signed();
        let high = (mantissa >> (u64::from(LIMB_BITS) - shift)).cast_signed();
        // All ones for a negative value: (x ^ -1) - -1 is -x.
        let sign = bits.cast_signed() >> 63;
        self.limbs[limb] += (low ^ sign) - sign;
        self.limbs[limb + 1] += (high ^ sign) - sign;
        self.pending += 1;
        if self.pending >= TERMS_BEFORE_CARRY {
            self.carry();
        }
    }

    /// Brings all limbs but the last into 0 up to 2^32; the last one has the sign.
    fn carry(&mut self) {
        let mut carried = 0;
        for limb in &mut self.limbs[..LIMBS - 1] {
            let sum = *limb + carried;
            *limb = sum & LIMB_MASK.cast_signed();
            carried = sum >> LIMB_BITS;
        }
        self.limbs[LIMBS - 1] += carried;
        self.pending = 0;
    }

    fn add_integer(&mut self, integer: i128) {
        self.carry();
        let one = UNIT_EXPONENT.unsigned_abs();
        let (limb, shift) = ((one / LIMB_BITS) as usize, one % LIMB_BITS);
        let mut rest = integer.unsigned_abs();
        let sign = if integer < 0 { -1 } else { 1 };
        for at in limb..limb + 4 {
            let piece = (rest & u128::from(LIMB_MASK)) << shift;
            rest >>= LIMB_BITS;
            let low = i64::try_from(piece & u128::from(LIMB_MASK)).unwrap_or_default();
            let high = i64::try_from(piece >> LIMB_BITS).unwrap_or_default();
            self.limbs[at] += sign * low;
            self.limbs[at + 1] += sign * high;
        }
        self.carry();
    }

    fn rounded(mut self) -> f64 {
        self.carry();
        let negative = self.limbs[LIMBS - 1] < 0;
        if negative {
            self.limbs.iter_mut().for_each(|limb| *limb = -*limb);
            self.carry();
        }
        let Some(top) = self.limbs.iter().rposition(|limb| *limb != 0) else { return 0.0 };
        // The top three limbs hold at least 65 bits; below them it only matters whether there is anything.
        let from = top.saturating_sub(2);
        let mut head = 0_u128;
        for limb in self.limbs[from..=top].iter().rev() {
            head = (head << LIMB_BITS) | u128::from(limb.unsigned_abs());
        }
        let below = self.limbs[..from].iter().any(|limb| *limb != 0);
        let magnitude = round(head, below, from);
        if negative { -magnitude } else { magnitude }
    }
}

/// `head` in units of limb `from`, plus something below if `below`, as the nearest double.
fn round(head: u128, below: bool, from: usize) -> f64 {
    let surplus = (u128::BITS - head.leading_zeros()).saturating_sub(MANTISSA_BITS + 1);
    let mut kept = head >> surplus;
    let rest = head - (kept << surplus);
    if surplus > 0 {
        let half = 1 << (surplus - 1);
        let odd = kept & 1 == 1;
        if rest > half || (rest == half && (below || odd)) {
            kept += 1;
        }
    }
    let exponent = i64::try_from(from).unwrap_or_default() * i64::from(LIMB_BITS) + i64::from(surplus);
    let kept = i64::try_from(kept).unwrap_or_default();
    to_double(kept) * power_of_two(exponent + i64::from(UNIT_EXPONENT))
}

/// 2^exponent for an exponent that is not below that of the least double; infinite beyond the greatest.
fn power_of_two(exponent: i64) -> f64 {
    match u64::try_from(exponent + 1023) {
        Ok(biased @ 1..2047) => f64::from_bits(biased << MANTISSA_BITS),
        Ok(0) | Err(_) => f64::from_bits(1 << (exponent - i64::from(UNIT_EXPONENT)).clamp(0, 51)),
        Ok(_) => f64::INFINITY,
    }
}
