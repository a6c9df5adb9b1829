//! CRC-32, as gzip and PNG have it (ISO 3309): enough to see that a file came whole.

use std::io::{self, Read};

const TABLE: [u32; 256] = {
    let mut table = [0_u32; 256];
    let mut byte = 0_u32;
    while byte < 256 {
        let mut crc = byte;
        let mut bit = 0;
        while bit < 8 {
            let carry = if crc & 1 == 1 { 0xEDB8_8320 } else { 0 };
            crc = (crc >> 1) ^ carry;
            bit += 1;
        }
        table[byte as usize] = crc;
        byte += 1;
    }
    table
};

/// The checksum of everything that comes, read piece by piece.
pub(crate) fn of(mut reader: impl Read) -> io::Result<u32> {
    let mut crc = u32::MAX;
    let mut piece = vec![0; 64 * 1024];
    loop {
        let count = match reader.read(&mut piece) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            result => result?,
        };
        if count == 0 {
            return Ok(!crc);
        }
        for &byte in &piece[..count] {
            let [low, ..] = crc.to_le_bytes();
            crc = (crc >> 8) ^ TABLE[usize::from(low ^ byte)];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn the_check_value() {
        assert_eq!(of(&b"123456789"[..]).unwrap(), 0xCBF4_3926);
        assert_eq!(of(&b""[..]).unwrap(), 0);
    }
}
