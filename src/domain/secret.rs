//! What was entrusted to weir, and the words of others, which may repeat it: a proxy's page quotes
//! the request that it refuses.

/// A shorter secret is not looked for: it would be found where it is not meant.
const LOOKED_FOR_BYTES_MIN: usize = 6;

/// Gives words without the secrets that stand in them.
#[must_use]
pub fn hidden<'s>(words: &str, secrets: impl IntoIterator<Item = &'s str>) -> String {
    let mut secrets: Vec<&str> =
        secrets.into_iter().filter(|secret| secret.len() >= LOOKED_FOR_BYTES_MIN).collect();
    // What holds another goes first.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets.iter().fold(words.to_owned(), |words, secret| words.replace(secret, "…"))
}

/// Gives an address without what might be a password: what stands before its host, and what is
/// asked behind its path.
#[must_use]
pub fn shown_address(url: &str) -> String {
    let (address, asked) = match url.find(['?', '#']) {
        Some(at) => (url.get(..at).unwrap_or_default(), "?…"),
        None => (url, ""),
    };
    match address.rsplit_once('@').or_else(|| url.rsplit_once('@')) {
        Some((_, host)) => format!("…@{host}{asked}"),
        None => format!("{address}{asked}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_hidden_wherever_it_stands() {
        let words = "Cannot POST /robot?token=abcdef123 (abcdef)";
        let secrets = ["abcdef", "abcdef123", "POST"];
        assert_eq!(hidden(words, secrets), "Cannot POST /robot?token=… (…)");
        assert_eq!(hidden(words, []), words);
    }

    #[test]
    fn an_address_is_shown_without_its_keys() {
        let shown = |url| shown_address(url);
        assert_eq!(shown("http://h:8086/proxy"), "http://h:8086/proxy");
        assert_eq!(shown("http://u:p@h/proxy?u=a&p=b"), "…@h/proxy?…");
        assert_eq!(shown("http://u:p@h#p"), "…@h?…");
        // An address that is none: whatever may be a password is left out.
        assert_eq!(shown("mqtt://u:p?q@h"), "…@h?…");
    }
}
