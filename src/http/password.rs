//! Passwords and what is drawn by lot: hashes slow to guess, tokens that nobody can guess.

use std::fmt::Write as _;
use std::io;

use argon2::password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString};
use argon2::{ARGON2ID_IDENT, Argon2};
use rustix::rand::{GetRandomFlags, getrandom};
use sha2::{Digest as _, Sha256};

/// How many characters a password has at least.
pub const PASSWORD_CHARS_MIN: usize = 8;
/// How many bytes a password may have.
pub const PASSWORD_BYTES_MAX: usize = 1_024;
/// How much memory a hash of the users' file may ask for, KiB, and how many rounds: one that weir
/// writes takes 19 MiB and two rounds.
const MEMORY_KIB_MAX: u32 = 256 << 10;
const ROUNDS_MAX: u32 = 10;
/// What an offered password is held against where there is none: as slow as a true one, and no
/// password comes to it, since nobody chose it.
const NOBODYS: &str = "$argon2id$v=19$m=19456,t=2,p=1$d2VpcndlaXJ3ZWlyd2Vpcg$\
    oPv0kgKyJmBqoU1w6hR4Hq2fNwq0mZ8eY3s7uV5cXdE";

/// Hashes a password by argon2id, with a salt of its own.
///
/// # Errors
/// It is too short or too long, or the system has no random numbers.
pub fn hash(password: &str) -> Result<String, String> {
    if password.chars().count() < PASSWORD_CHARS_MIN {
        return Err(format!("a password has at least {PASSWORD_CHARS_MIN} characters"));
    }
    if password.len() > PASSWORD_BYTES_MAX {
        return Err(format!("a password has at most {PASSWORD_BYTES_MAX} bytes"));
    }
    let drawn = random().map_err(|error| error.to_string())?;
    let salt = drawn.get(..16).unwrap_or(&drawn);
    let salt = SaltString::encode_b64(salt).map_err(|error| error.to_string())?;
    let hash = Argon2::default().hash_password(password.as_bytes(), &salt);
    hash.map(|hash| hash.to_string()).map_err(|error| error.to_string())
}

/// Says whether a password is the one of a hash. Without a hash it takes as long and never is.
#[must_use]
pub(super) fn is_of(hash: Option<&str>, offered: &str) -> bool {
    let Ok(parsed) = PasswordHash::new(hash.unwrap_or(NOBODYS)) else { return false };
    let right = Argon2::default().verify_password(offered.as_bytes(), &parsed).is_ok();
    right && hash.is_some() && offered.len() <= PASSWORD_BYTES_MAX
}

/// Tells what is wrong with a hash.
pub(super) fn fault(hash: &str) -> Option<&'static str> {
    let Ok(parsed) = PasswordHash::new(hash) else { return Some("no hash of argon2id") };
    if parsed.algorithm != ARGON2ID_IDENT || parsed.hash.is_none() || parsed.salt.is_none() {
        return Some("no hash of argon2id");
    }
    let most = |name: &str, most: u32| parsed.params.get_decimal(name).is_none_or(|is| is <= most);
    let fits = most("m", MEMORY_KIB_MAX) && most("t", ROUNDS_MAX) && most("p", 16);
    (!fits).then_some("a hash that takes more than 256 MiB or 10 rounds")
}

/// Draws 256 bits.
///
/// # Errors
/// The system has none.
pub(super) fn random() -> io::Result<[u8; 32]> {
    let mut drawn = [0; 32];
    let count = getrandom(&mut drawn, GetRandomFlags::empty())?;
    if count == drawn.len() { Ok(drawn) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// Gives the digest of a text that was drawn by lot, as it is held.
#[must_use]
pub(super) fn digest(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

/// Writes bytes as hexadecimal digits.
#[must_use]
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").ok();
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_told_by_its_hash_and_by_no_other() {
        let first = hash("willow-river").unwrap();
        assert!(first.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{first}");
        assert_ne!(first, hash("willow-river").unwrap(), "a salt of its own");
        assert!(is_of(Some(&first), "willow-river"));
        for wrong in ["", "willow-rive", "willow-river ", "Willow-river"] {
            assert!(!is_of(Some(&first), wrong), "{wrong}");
        }
        assert!(!is_of(None, "willow-river") && !is_of(None, ""));
        assert_eq!(fault(&first), None);
    }

    #[test]
    fn what_is_held_against_nobody_is_a_hash_like_any_other() {
        assert_eq!(fault(NOBODYS), None);
    }

    #[test]
    fn a_short_or_endless_password_is_refused() {
        assert!(hash("1234567").unwrap_err().contains("at least 8"));
        assert!(hash(&"x".repeat(PASSWORD_BYTES_MAX + 1)).unwrap_err().contains("at most"));
        assert!(hash("水质监测值班密码").is_ok(), "characters, not bytes");
    }

    #[test]
    fn a_hash_of_another_kind_or_without_end_is_told() {
        assert_eq!(fault("willow-river"), Some("no hash of argon2id"));
        assert_eq!(fault(&NOBODYS.replace("argon2id", "argon2i")), Some("no hash of argon2id"));
        let greedy = NOBODYS.replace("m=19456", "m=4194304");
        assert!(fault(&greedy).unwrap().contains("256 MiB"));
    }
}
