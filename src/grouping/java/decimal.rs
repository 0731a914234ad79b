//! The text of a floating-point number exactly as Java 17 and older print it.
//!
//! The digits come from the conversion that Java had until 18, which is not always the shortest
//! text that reads back as the number; it is followed here bit by bit, in whole numbers only.

use std::cmp::Ordering;

use super::text::push_formatted;

/// Stored fraction bits of a 64-bit number.
const DOUBLE_FRACTION_BITS: i32 = 52;

/// Stored fraction bits of a 32-bit number.
const FLOAT_FRACTION_BITS: i32 = 23;

/// Appends `Double.toString(number)` of Java 17.
pub fn double_text(number: f64, out: &mut String) {
    let bits = number.to_bits();
    let stored_exponent = (bits >> DOUBLE_FRACTION_BITS) as i32 & 0x7ff;
    let stored_fraction = bits & ((1 << DOUBLE_FRACTION_BITS) - 1);
    if !push_special(number.is_nan(), number.is_infinite(), number, out) {
        push_decimal(
            &Binary::new(stored_fraction, stored_exponent, DOUBLE_FRACTION_BITS, 1023).to_decimal(),
            out,
        );
    }
}

/// Appends `Float.toString(number)` of Java 17.
pub fn float_text(number: f32, out: &mut String) {
    let bits = number.to_bits();
    let stored_exponent = (bits >> FLOAT_FRACTION_BITS) as i32 & 0xff;
    let stored_fraction = u64::from(bits & ((1 << FLOAT_FRACTION_BITS) - 1));
    if !push_special(number.is_nan(), number.is_infinite(), f64::from(number), out) {
        push_decimal(
            &Binary::new(stored_fraction, stored_exponent, FLOAT_FRACTION_BITS, 127).to_decimal(),
            out,
        );
    }
}

/// A positive finite number, `fraction / 2^52 * 2^exponent`.
struct Binary {
    /// Bit 52 is the highest one set.
    fraction: u64,
    exponent: i32,
    /// Bits that the number's own type distinguishes: 53 or 24, fewer if subnormal.
    precision_bits: i32,
}

/// The digits to print for a positive number, `0.d1d2d3… * 10^exponent`.
struct Decimal {
    /// 0 to 9 each; the first `len` count. Seventeen are the most that were ever needed, nineteen
    /// the most that a whole number below 2^63 has.
    digits: [u8; 20],
    len: usize,
    exponent: i32,
}

/// Where a digit loop stopped, and so how the last digit is rounded.
struct Stop {
    /// The digits so far are less than half a unit (of the binary number) below the number.
    low: bool,
    /// The digits so far, the last one raised, are less than half a unit above the number.
    high: bool,
    /// What is left, compared with half of the last digit's place.
    rest_to_half: Ordering,
}

/// Writes the texts that have no digits of their own, and the sign; false if digits must follow.
fn push_special(nan: bool, infinite: bool, number: f64, out: &mut String) -> bool {
    if nan {
        out.push_str("NaN");
        return true;
    }
    if number.is_sign_negative() {
        out.push('-');
    }
    if infinite {
        out.push_str("Infinity");
    } else if number == 0.0 {
        out.push_str("0.0");
    }
    infinite || number == 0.0
}

/// Writes digits in Java's form: plain from 10^-3 up to 10^7, else with an exponent; always with
/// at least one digit after the point.
fn push_decimal(decimal: &Decimal, out: &mut String) {
    let digits = &decimal.digits[..decimal.len];
    let push_digits = |digits: &[u8], out: &mut String| {
        out.extend(digits.iter().map(|digit| char::from(b'0' + digit)));
    };
    match decimal.exponent {
        whole @ 1..=7 => {
            let (front, back) = digits.split_at(digits.len().min(whole as usize));
            push_digits(front, out);
            out.extend(std::iter::repeat_n('0', whole as usize - front.len()));
            out.push('.');
            push_digits(if back.is_empty() { &[0] } else { back }, out);
        }
        zeros @ -2..=0 => {
            out.push_str("0.");
            out.extend(std::iter::repeat_n('0', zeros.unsigned_abs() as usize));
            push_digits(digits, out);
        }
        exponent => {
            push_digits(&digits[..1], out);
            out.push('.');
            push_digits(if digits.len() > 1 { &digits[1..] } else { &[0] }, out);
            push_formatted(out, format_args!("E{}", exponent - 1));
        }
    }
}

impl Binary {
    /// The number with these stored parts, which are not all zero.
    fn new(stored_fraction: u64, stored_exponent: i32, fraction_bits: i32, bias: i32) -> Self {
        let widen = DOUBLE_FRACTION_BITS - fraction_bits;
        if stored_exponent > 0 {
            return Binary {
                fraction: (stored_fraction | 1 << fraction_bits) << widen,
                exponent: stored_exponent - bias,
                precision_bits: fraction_bits + 1,
            };
        }
        let used_bits = 64 - stored_fraction.leading_zeros() as i32;
        let shift = fraction_bits + 1 - used_bits;
        Binary {
            fraction: stored_fraction << (shift + widen),
            exponent: 1 - shift - bias,
            precision_bits: used_bits,
        }
    }

    /// The digits Java 17 prints.
    ///
    /// This is the digit generation of Steele and White with a symmetric stopping test: digits are
    /// taken from `number / scale` until what is left is within half a unit of the binary number.
    /// What must be kept as it is, because it shows in the digits: the half unit is halved again
    /// below exact powers of two, on both sides; the exponent form always develops a second digit
    /// before it looks at the test; and the test is strict in machine words but not in wide
    /// numbers, so the choice of arithmetic is part of the result.
    fn to_decimal(&self) -> Decimal {
        let tail_zeros = self.fraction.trailing_zeros() as i32;
        let used_bits = DOUBLE_FRACTION_BITS + 1 - tail_zeros;
        let tiny_bits = (used_bits - self.exponent - 1).max(0);
        if tiny_bits == 0 && self.exponent <= 62 {
            return self.whole_to_decimal();
        }

        let exponent = self.decimal_exponent_estimate();
        // `number`, `scale` and `half_unit` are products of powers of five and two; only the
        // powers of two are reduced.
        let number_fives = (-exponent).max(0);
        let scale_fives = exponent.max(0);
        let mut number_twos = number_fives + tiny_bits + self.exponent;
        let mut scale_twos = scale_fives + tiny_bits;
        let mut half_unit_twos = number_twos - self.precision_bits;
        number_twos -= used_bits - 1;
        let common = number_twos.min(scale_twos);
        number_twos -= common;
        scale_twos -= common;
        half_unit_twos -= common;
        if used_bits == 1 {
            half_unit_twos -= 1;
        }
        if half_unit_twos < 0 {
            number_twos -= half_unit_twos;
            scale_twos -= half_unit_twos;
            half_unit_twos = 0;
        }

        let factor = self.fraction >> tail_zeros;
        let mut decimal = Decimal { digits: [0; 20], len: 0, exponent: exponent + 1 };
        let number_bits = used_bits + number_twos + bits_of_power_of_5(number_fives);
        let ten_scale_bits = scale_twos + 1 + bits_of_power_of_5(scale_fives + 1);
        let stop = if number_bits < 64 && ten_scale_bits < 64 {
            let power_of_5 = |fives: i32| 5_i64.pow(fives as u32);
            let number = (factor as i64 * power_of_5(number_fives)) << number_twos;
            let scale = power_of_5(scale_fives) << scale_twos;
            let half_unit = power_of_5(number_fives) << half_unit_twos;
            if number_bits < 32 && ten_scale_bits < 32 {
                let int = |word: i64| i64::from(word as i32);
                decimal.develop_in_words(int(number), int(scale), int(half_unit), int)
            } else {
                decimal.develop_in_words(number, scale, half_unit, |word| word)
            }
        } else {
            decimal.develop_wide(
                Wide::new(factor, number_fives, number_twos),
                &Wide::new(1, scale_fives, scale_twos),
                Wide::new(1, number_fives, half_unit_twos),
            )
        };
        let odd = decimal.digits[decimal.len - 1] % 2 == 1;
        let raise = match stop.rest_to_half {
            _ if !stop.low => stop.high,
            Ordering::Equal => stop.high && odd,
            rest_to_half => stop.high && rest_to_half == Ordering::Greater,
        };
        if raise {
            decimal.raise_last_digit();
        }
        decimal
    }

    /// The digits of a whole number below 2^63; those its precision cannot tell are rounded away.
    fn whole_to_decimal(&self) -> Decimal {
        let mut whole = if self.exponent >= DOUBLE_FRACTION_BITS {
            self.fraction << (self.exponent - DOUBLE_FRACTION_BITS)
        } else {
            self.fraction >> (DOUBLE_FRACTION_BITS - self.exponent)
        };
        let mut exponent = 0;
        let untold_bits = self.exponent - self.precision_bits - 1;
        if untold_bits > 1 {
            let untold_digits = (1_u64 << untold_bits).ilog10();
            if untold_digits > 0 {
                let place = 10_u64.pow(untold_digits);
                let rest = whole % place;
                whole = whole / place + u64::from(rest >= place / 2);
                exponent = untold_digits as i32;
            }
        }
        let len = whole.ilog10() as usize + 1;
        let mut decimal = Decimal { digits: [0; 20], len, exponent: exponent + len as i32 };
        for digit in decimal.digits[..len].iter_mut().rev() {
            *digit = (whole % 10) as u8;
            whole /= 10;
        }
        while decimal.digits[decimal.len - 1] == 0 {
            decimal.len -= 1;
        }
        decimal
    }

    /// The decimal exponent of the first digit, or one more: a straight line through the logarithm.
    #[expect(
        clippy::approx_constant,
        reason = "another rounding of log10(2) could move the estimate of a number near a power of ten"
    )]
    fn decimal_exponent_estimate(&self) -> i32 {
        let mantissa = self.fraction as f64 / (1_u64 << DOUBLE_FRACTION_BITS) as f64;
        let estimate = (mantissa - 1.5) * 0.289_529_654
            + 0.176_091_259
            + f64::from(self.exponent) * 0.301_029_995_663_981;
        estimate.floor() as i32
    }
}

impl Decimal {
    /// Develops digits in words of 32 or 64 bits, which `wrap` as Java's do.
    fn develop_in_words(
        &mut self,
        mut number: i64,
        scale: i64,
        mut half_unit: i64,
        wrap: impl Fn(i64) -> i64,
    ) -> Stop {
        let ten_scale = wrap(scale.wrapping_mul(10));
        let next = |half_unit: &mut i64, number: &mut i64| {
            let digit = *number / scale;
            *number = wrap((*number % scale).wrapping_mul(10));
            *half_unit = wrap(half_unit.wrapping_mul(10));
            let low = *number < *half_unit;
            let high = wrap(number.wrapping_add(*half_unit)) > ten_scale;
            (digit as u8, low, high)
        };
        let (digit, mut low, mut high) = next(&mut half_unit, &mut number);
        self.push_first(digit, &mut low, &mut high);
        while !low && !high {
            let digit;
            (digit, low, high) = next(&mut half_unit, &mut number);
            // A half unit that left the range is certainly larger than what is left.
            if half_unit <= 0 {
                (low, high) = (true, true);
            }
            self.push(digit);
        }
        let rest_to_half = wrap(wrap(number << 1).wrapping_sub(ten_scale)).cmp(&0);
        Stop { low, high, rest_to_half }
    }

    /// Develops digits in numbers as wide as needed.
    fn develop_wide(&mut self, mut number: Wide, scale: &Wide, mut half_unit: Wide) -> Stop {
        let mut ten_scale = scale.clone();
        ten_scale.multiply(10);
        let next = |half_unit: &mut Wide, number: &mut Wide| {
            let digit = number.divide_small(scale);
            number.multiply(10);
            half_unit.multiply(10);
            let low = Wide::compare(number, half_unit) == Ordering::Less;
            let mut sum = number.clone();
            sum.add(half_unit);
            let high = Wide::compare(&sum, &ten_scale) != Ordering::Less;
            (digit, low, high)
        };
        let (digit, mut low, mut high) = next(&mut half_unit, &mut number);
        self.push_first(digit, &mut low, &mut high);
        while !low && !high {
            let digit;
            (digit, low, high) = next(&mut half_unit, &mut number);
            self.push(digit);
        }
        number.multiply(2);
        let rest_to_half = Wide::compare(&number, &ten_scale);
        Stop { low, high, rest_to_half }
    }

    /// Takes the first digit, which is a zero to drop if the exponent was estimated too high, and
    /// makes the exponent form go on to a second digit.
    fn push_first(&mut self, digit: u8, low: &mut bool, high: &mut bool) {
        if digit == 0 && !*high {
            self.exponent -= 1;
        } else {
            self.push(digit);
        }
        if !(-2..=8).contains(&self.exponent) {
            (*low, *high) = (false, false);
        }
    }

    fn push(&mut self, digit: u8) {
        self.digits[self.len] = digit;
        self.len += 1;
    }

    /// Adds one to the last digit, with the carry; all nines become a one of the next place.
    fn raise_last_digit(&mut self) {
        for digit in self.digits[..self.len].iter_mut().rev() {
            if *digit < 9 {
                *digit += 1;
                return;
            }
            *digit = 0;
        }
        self.digits[0] = 1;
        self.exponent += 1;
    }
}

/// The bits that 5 to the power of `fives` takes, as the choice of arithmetic counts them: none
/// for 1, and three per factor where the power is beyond a table of 27.
fn bits_of_power_of_5(fives: i32) -> i32 {
    match fives {
        0 => 0,
        1..27 => 64 - 5_u64.pow(fives as u32).leading_zeros() as i32,
        _ => fives * 3,
    }
}

/// An unsigned number of up to 1,280 bits; the conversion of a 64-bit number needs below 1,150.
#[derive(Clone)]
struct Wide {
    /// The lowest limb first; limbs from `len` on are zero.
    limbs: [u64; 20],
    len: usize,
}

impl Wide {
    /// `factor * 5^fives * 2^twos`
    fn new(factor: u64, mut fives: i32, twos: i32) -> Self {
        let mut wide = Wide { limbs: [0; 20], len: 1 };
        wide.limbs[0] = factor;
        while fives > 0 {
            let step = fives.min(27);
            wide.multiply(5_u64.pow(step as u32));
            fives -= step;
        }
        wide.shift_left(twos as usize);
        wide
    }

    fn shift_left(&mut self, bits: usize) {
        let (limbs, bits) = (bits / 64, bits % 64);
        self.multiply(1 << bits);
        self.limbs.copy_within(0..self.len, limbs);
        self.limbs[..limbs].fill(0);
        self.len += limbs;
    }

    fn multiply(&mut self, factor: u64) {
        let mut carry = 0;
        for limb in &mut self.limbs[..self.len] {
            (*limb, carry) = limb.carrying_mul(factor, carry);
        }
        if carry > 0 {
            self.limbs[self.len] = carry;
            self.len += 1;
        }
    }

    fn add(&mut self, other: &Wide) {
        self.len = self.len.max(other.len);
        let mut carry = false;
        for (limb, other) in self.limbs[..self.len].iter_mut().zip(&other.limbs) {
            let (sum, first) = limb.overflowing_add(*other);
            let (sum, second) = sum.overflowing_add(u64::from(carry));
            (*limb, carry) = (sum, first || second);
        }
        if carry {
            self.limbs[self.len] = 1;
            self.len += 1;
        }
    }

    /// Leaves the remainder and gives the quotient, which must be small, as it is counted out.
    fn divide_small(&mut self, divisor: &Wide) -> u8 {
        let mut quotient = 0;
        while Wide::compare(self, divisor) != Ordering::Less {
            let mut borrow = false;
            for (limb, other) in self.limbs[..self.len].iter_mut().zip(&divisor.limbs) {
                let (difference, first) = limb.overflowing_sub(*other);
                let (difference, second) = difference.overflowing_sub(u64::from(borrow));
                (*limb, borrow) = (difference, first || second);
            }
            while self.len > 0 && self.limbs[self.len - 1] == 0 {
                self.len -= 1;
            }
            quotient += 1;
        }
        quotient
    }

    fn compare(left: &Wide, right: &Wide) -> Ordering {
        let len = left.len.max(right.len);
        left.limbs[..len].iter().rev().cmp(right.limbs[..len].iter().rev())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{double_bits, float_bits};
    use super::*;

    #[test]
    fn numbers_print_as_java_17_printed_them() {
        let file = include_str!("../../../tests/data/java-double-text.txt");
        let mut rows = 0;
        for row in file.lines().filter(|row| !row.starts_with('#')) {
            let mut parts = row.splitn(3, ' ');
            let [width, bits, expected] = std::array::from_fn(|_| parts.next().expect(row));
            let bits = u64::from_str_radix(bits, 16).expect(row);
            let mut text = String::new();
            match width {
                "f64" => double_text(f64::from_bits(bits), &mut text),
                "f32" => float_text(f32::from_bits(bits as u32), &mut text),
                _ => panic!("no such width: {row}"),
            }
            assert_eq!(text, expected, "{row}");
            rows += 1;
        }
        assert!(rows > 500, "only {rows} rows in java-double-text.txt");
    }

    proptest! {
        #[test]
        fn a_double_reads_back_from_its_text(number in prop::num::f64::ANY) {
            let mut text = String::new();
            double_text(number, &mut text);
            let read: f64 = text.replace("Infinity", "inf").parse().expect("a number");
            prop_assert_eq!(double_bits(read), double_bits(number), "{}", text);
        }

        #[test]
        fn a_float_reads_back_from_its_text(number in prop::num::f32::ANY) {
            let mut text = String::new();
            float_text(number, &mut text);
            let read: f32 = text.replace("Infinity", "inf").parse().expect("a number");
            prop_assert_eq!(float_bits(read), float_bits(number), "{}", text);
        }
    }
}
