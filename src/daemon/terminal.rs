//! What comes from outside must not drive the terminal: words of devices, brokers and servers are
//! made plain before they are shown.

/// Gives words without control characters and without those that turn the direction of writing.
#[must_use]
pub fn plain(words: &str) -> String {
    let shown = |letter: char| {
        if letter == '\n' || letter == '\t' {
            return Some(' ');
        }
        let turns = matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}')
            || matches!(letter, '\u{2066}'..='\u{2069}');
        (!letter.is_control() && !turns).then_some(letter)
    };
    words.chars().filter_map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_drives_the_terminal() {
        assert_eq!(plain("a\u{1b}[31m\u{9b}2J\r\u{202e}b\nc\u{7}"), "a[31m2Jb c");
        assert_eq!(plain("溶解氧 2.5 mg/L"), "溶解氧 2.5 mg/L");
    }
}
