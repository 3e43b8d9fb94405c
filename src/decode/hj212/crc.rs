//! The check sum of HJ 212. It is not CRC-16/MODBUS, though it has its polynomial: each byte is
//! put to the high half of the sum, and the low half is thrown away. So there are only 256 sums,
//! and one damaged frame of 256 passes: whoever relies on it looks at the rest of the frame too.

/// What eight steps make of the low byte.
const STEPPED: [u16; 256] = stepped();
/// The high half of what a byte has become after so many bytes more, the fewest first. The sum is
/// linear, so that eight bytes are looked up beside each other and not one behind the other.
const AFTER: [[u8; 256]; 9] = after();
/// What would have become 0xFF, the half of the first sum to which the first byte is put.
const BEFORE: u8 = before();

const fn stepped() -> [u16; 256] {
    let mut table = [0; 256];
    let mut byte: u16 = 0;
    while byte < 256 {
        let (mut sum, mut step) = (byte, 0);
        while step < 8 {
            sum = if sum & 1 == 1 { (sum >> 1) ^ 0xA001 } else { sum >> 1 };
            step += 1;
        }
        put(&mut table, byte as usize, sum);
        byte += 1;
    }
    table
}

#[expect(clippy::indexing_slicing, reason = "at compile time, where a wrong index is no build")]
const fn put(table: &mut [u16; 256], at: usize, sum: u16) {
    table[at] = sum;
}

#[expect(clippy::indexing_slicing, reason = "at compile time, where a wrong index is no build")]
const fn after() -> [[u8; 256]; 9] {
    let mut tables = [[0; 256]; 9];
    let mut byte = 0;
    while byte < 256 {
        let (mut state, mut more) = (byte as u8, 0);
        while more < 9 {
            tables[more][byte] = state;
            state = (STEPPED[state as usize] >> 8) as u8;
            more += 1;
        }
        byte += 1;
    }
    tables
}

#[expect(clippy::indexing_slicing, reason = "at compile time, where a wrong index is no build")]
const fn before() -> u8 {
    let mut byte = 0;
    while AFTER[1][byte] != 0xFF {
        byte += 1;
    }
    byte as u8
}

fn looked_up(table: &[u8; 256], byte: u8) -> u8 {
    table.get(usize::from(byte)).copied().unwrap_or_default()
}

/// Gives the sum of a frame's data (HJ 212-2017 annex A).
#[must_use]
pub(super) fn hj212(data: &[u8]) -> u16 {
    if data.is_empty() {
        return 0xFFFF;
    }
    let [plain, one, two, three, four, five, six, seven, eight] = &AFTER;
    let mut state = BEFORE;
    let (eights, rest) = data.as_chunks::<8>();
    for [a, b, c, d, e, f, g, h] in eights {
        // What waits for the eight bytes before comes last, so that nothing else waits.
        let of_these = looked_up(seven, *a)
            ^ looked_up(six, *b)
            ^ looked_up(five, *c)
            ^ looked_up(four, *d)
            ^ looked_up(three, *e)
            ^ looked_up(two, *f)
            ^ looked_up(one, *g)
            ^ looked_up(plain, *h);
        state = of_these ^ looked_up(eight, state);
    }
    for byte in rest {
        state = looked_up(one, state) ^ byte;
    }
    STEPPED.get(usize::from(state)).copied().unwrap_or_default()
}

/// Gives CRC-16/MODBUS with its bytes swapped, which some devices send instead.
#[must_use]
pub(super) fn modbus_swapped(data: &[u8]) -> u16 {
    let step = |sum: u16, byte: &u8| {
        let low = (sum & 0xFF) as u8 ^ byte;
        (sum >> 8) ^ STEPPED.get(usize::from(low)).copied().unwrap_or_default()
    };
    data.iter().fold(0xFFFF, step).swap_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As the standard writes it, step by step.
    fn by_the_book(data: &[u8]) -> u16 {
        let mut sum: u16 = 0xFFFF;
        for byte in data {
            sum = (sum >> 8) ^ u16::from(*byte);
            for _ in 0..8 {
                let low = sum & 1;
                sum >>= 1;
                if low == 1 {
                    sum ^= 0xA001;
                }
            }
        }
        sum
    }

    #[test]
    fn the_standards_own_examples() {
        let of_2017 = b"QN=20160801085857223;ST=32;CN=1062;PW=100000;\
            MN=010000A8900016F000169DC0;Flag=5;CP=&&RtdInterval=30&&";
        assert_eq!((of_2017.len(), hj212(of_2017)), (101, 0x1C80));
        let of_2025 = b"QN=20240601085857223;ST=32;CN=1011;PW=123456;\
            MN=010000A8900016F000169DC0;Flag=9;CP=&&&&";
        assert_eq!((of_2025.len(), hj212(of_2025)), (87, 0x2200));
        assert_eq!(modbus_swapped(of_2017), 0x0759_u16.swap_bytes());
    }

    proptest! {
        #[test]
        fn eight_bytes_beside_each_other_are_eight_behind_each_other(
            data in proptest::collection::vec(any::<u8>(), 0..100)
        ) {
            prop_assert_eq!(hj212(&data), by_the_book(&data));
        }
    }
}
