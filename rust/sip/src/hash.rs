//! A keyed 128-bit hash for transaction and dialog keys, so that a peer cannot choose collisions,
//! and the token generator made from it. SipHash-2-4 with 128-bit output (Aumasson, Bernstein 2012).
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// The secret of one core.
#[derive(Clone, Copy)]
pub(crate) struct HashKey(u64, u64);

struct SipState([u64; 4]);

impl SipState {
    fn round(&mut self) {
        let v = &mut self.0;
        v[0] = v[0].wrapping_add(v[1]);
        v[1] = v[1].rotate_left(13) ^ v[0];
        v[0] = v[0].rotate_left(32);
        v[2] = v[2].wrapping_add(v[3]);
        v[3] = v[3].rotate_left(16) ^ v[2];
        v[0] = v[0].wrapping_add(v[3]);
        v[3] = v[3].rotate_left(21) ^ v[0];
        v[2] = v[2].wrapping_add(v[1]);
        v[1] = v[1].rotate_left(17) ^ v[2];
        v[2] = v[2].rotate_left(32);
    }

    fn word(&mut self, word: u64) {
        self.0[3] ^= word;
        self.round();
        self.round();
        self.0[0] ^= word;
    }

    fn finish(&mut self) -> u64 {
        for _ in 0..4 {
            self.round();
        }
        self.0[0] ^ self.0[1] ^ self.0[2] ^ self.0[3]
    }
}

/// Take the bytes as words, the last one filled up with zeros.
fn each_word(bytes: &[u8], mut take: impl FnMut(u64)) {
    let (whole, rest) = bytes.as_chunks::<8>();
    for word in whole {
        take(u64::from_le_bytes(*word));
    }
    if !rest.is_empty() {
        let mut word = [0; 8];
        word[..rest.len()].copy_from_slice(rest);
        take(u64::from_le_bytes(word));
    }
}

impl HashKey {
    /// Derive the key from seed bytes of any length; every byte counts.
    pub(crate) fn from_seed(seed: &[u8]) -> Self {
        let mixed = Self(0x7472_6976_6f78_2d73, 0x6970_2d63_6f72_6521).hash(&[seed]);
        Self(mixed as u64, (mixed >> 64) as u64)
    }

    /// Hash a list of parts; their boundaries count.
    pub(crate) fn hash(&self, parts: &[&[u8]]) -> u128 {
        let mut state = SipState([
            self.0 ^ 0x736f_6d65_7073_6575,
            self.1 ^ 0x646f_7261_6e64_6f6d ^ 0xee,
            self.0 ^ 0x6c79_6765_6e65_7261,
            self.1 ^ 0x7465_6462_7974_6573,
        ]);
        for part in parts {
            state.word(part.len() as u64);
            each_word(part, |word| state.word(word));
        }
        state.0[2] ^= 0xee;
        let low = state.finish();
        state.0[1] ^= 0xdd;
        u128::from(low) | (u128::from(state.finish()) << 64)
    }

    /// A token of 24 hexadecimal digits that nobody without the seed can guess.
    pub(crate) fn token(&self, purpose: &[u8], parts: &[&[u8]]) -> String {
        let mut all = vec![purpose];
        all.extend_from_slice(parts);
        format!("{:024x}", self.hash(&all) >> 32)
    }
}

/// For keys that are hashes or counters already: one multiplication spreads them.
#[derive(Default)]
pub(crate) struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        each_word(bytes, |word| self.write_u64(word));
    }
    fn write_u64(&mut self, value: u64) {
        self.0 = (self.0 ^ value)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(29);
    }
    fn write_u128(&mut self, value: u128) {
        self.write_u64(value as u64 ^ (value >> 64) as u64);
    }
}

pub(crate) type Map<K, V> = HashMap<K, V, BuildHasherDefault<Spread>>;

#[cfg(test)]
mod tests {
    use super::HashKey;

    #[test]
    fn boundaries_of_parts_count() {
        let key = HashKey::from_seed(b"seed");
        assert_ne!(key.hash(&[b"ab", b"c"]), key.hash(&[b"a", b"bc"]));
        assert_eq!(key.hash(&[b"ab", b"c"]), key.hash(&[b"ab", b"c"]));
    }

    #[test]
    fn seeds_give_different_tokens() {
        let first = HashKey::from_seed(b"1").token(b"branch", &[b"0"]);
        assert_eq!(first.len(), 24);
        assert_ne!(first, HashKey::from_seed(b"2").token(b"branch", &[b"0"]));
    }
}
