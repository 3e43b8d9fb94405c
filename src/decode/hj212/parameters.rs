//! The data of a frame: fields before `CP=&&`, and between `&&` and `&&` items, each a name and a
//! value. The standard puts `;` between the groups of a factor and `,` inside one; devices put
//! either anywhere.

/// What stands before the parameters. Other fields (`ST`, `PNUM`, `PNO`, `RF`) say nothing about
/// values: a packet of a split is whole by itself, and one that is sent again is dated by its own
/// time. `QN`, `PW` and `Flag` matter to the acknowledgement alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Data<'t> {
    /// The device.
    pub(super) mn: &'t str,
    /// The command.
    pub(super) cn: u16,
    /// What is between `&&` and `&&`.
    pub(super) parameters: &'t str,
    /// What the device calls this frame, by its own clock; empty where it is not said.
    pub(super) qn: &'t str,
    /// Its password, as it sends it.
    pub(super) pw: &'t str,
    /// The version of the protocol (bits 7 to 2), whether the frame is one of several (bit 1), and
    /// whether an acknowledgement is asked for (bit 0).
    pub(super) flag: u8,
}

impl<'t> Data<'t> {
    /// Reads the data of a frame.
    ///
    /// # Errors
    /// What is missing or out of place, and the byte of the data at which that shows.
    pub(super) fn read(text: &'t str) -> Result<Self, (usize, &'static str)> {
        let Some((head, rest)) = halves(text) else {
            return Err((text.len(), "no `CP=&&`"));
        };
        let Some(parameters) = rest.trim_end().strip_suffix("&&") else {
            return Err((text.len(), "no `&&` at the end of the data"));
        };
        let (mut mn, mut cn, mut qn, mut pw, mut flag) = (None, None, "", "", 0);
        for Item { name, value, .. } in items(head) {
            match name {
                "MN" => mn = Some(value).filter(|value| !value.is_empty()),
                "CN" => cn = value.parse::<u16>().ok().filter(|_| value.len() == 4),
                "QN" => qn = value,
                "PW" => pw = value,
                "Flag" => flag = value.parse().unwrap_or(0),
                _ => {}
            }
        }
        let Some(cn) = cn else { return Err((0, "no command of four digits in `CN`")) };
        let Some(mn) = mn else { return Err((0, "no device in `MN`")) };
        Ok(Self { mn, cn, parameters, qn, pw, flag })
    }
}

/// Gives what stands before `CP=&&` and what behind.
fn halves(text: &str) -> Option<(&str, &str)> {
    const BETWEEN: &str = "CP=&&";
    // The first `&` is nearly always the one.
    let likely = text.find('&').and_then(|at| text.split_at_checked(at.checked_sub(3)?));
    let halves = likely.and_then(|(head, rest)| Some((head, rest.strip_prefix(BETWEEN)?)));
    halves.or_else(|| text.split_once(BETWEEN))
}

/// One name with its value.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Item<'t> {
    /// All of the name.
    pub(super) name: &'t str,
    /// Where its last `-` stands, behind the factor.
    pub(super) dash: Option<usize>,
    /// What stands behind `=`; nothing without.
    pub(super) value: &'t str,
}

impl<'t> Item<'t> {
    /// Gives the factor, and what is said of it.
    pub(super) fn parts(&self) -> Option<(&'t str, &'t str)> {
        let dash = self.dash?;
        Some((self.name.get(..dash)?, self.name.get(dash + 1..)?))
    }
}

/// Walks the items of a text. One without `=` has an empty value; nothing between separators is no
/// item.
pub(super) fn items(text: &str) -> Items<'_> {
    Items { rest: text }
}

/// What is left of a text.
#[derive(Clone, Debug)]
pub(super) struct Items<'t> {
    rest: &'t str,
}

impl<'t> Items<'t> {
    /// Gives the next item. A name that is likely need not be looked through: that of a value with
    /// the place of its dash, or that of the mark of a factor.
    pub(super) fn next_of(
        &mut self,
        likely: Option<(&str, usize)>,
        factor: &str,
    ) -> Option<Item<'t>> {
        let text = self.rest.strip_prefix([';', ',']).unwrap_or(self.rest);
        let value = likely.and_then(|(name, dash)| Some((text.strip_prefix(name)?, dash)));
        let found = value.or_else(|| {
            let behind = text.strip_prefix(factor).filter(|_| !factor.is_empty())?;
            Some((behind.strip_prefix("-Flag")?, factor.len()))
        });
        let known = found.and_then(|(behind, dash)| {
            let value = behind.strip_prefix('=')?;
            let name = text.get(..text.len() - behind.len())?;
            let end = value.bytes().position(|byte| byte == b';' || byte == b',');
            let (value, rest) = value.split_at_checked(end.unwrap_or(value.len()))?;
            Some((Item { name, dash: Some(dash), value: value.trim_ascii() }, rest))
        });
        let Some((item, rest)) = known else { return self.next() };
        self.rest = rest;
        Some(item)
    }
}

impl<'t> Iterator for Items<'t> {
    type Item = Item<'t>;

    /// Looks at each byte once; that is most of what a frame costs.
    fn next(&mut self) -> Option<Item<'t>> {
        self.rest = self.rest.trim_ascii_start();
        while let Some(rest) = self.rest.strip_prefix([';', ',']) {
            self.rest = rest.trim_ascii_start();
        }
        let (text, mut equals, mut dash) = (self.rest, None, None);
        let mut end = text.len();
        for (at, byte) in text.bytes().enumerate() {
            match byte {
                b';' | b',' => {
                    end = at;
                    break;
                }
                b'=' if equals.is_none() => equals = Some(at),
                b'-' if equals.is_none() => dash = Some(at),
                _ => {}
            }
        }
        if end == 0 {
            return None;
        }
        let name = text.get(..equals.unwrap_or(end))?.trim_ascii_end();
        let value = equals.map_or(Some(""), |equals| text.get(equals + 1..end))?;
        self.rest = text.get(end..)?;
        Some(Item { name, dash, value: value.trim_ascii() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: (&str, u16, &str)) {
        let data = Data::read(text).unwrap();
        assert_eq!((data.mn, data.cn, data.parameters), want);
    }

    #[test]
    fn fields_stand_before_the_parameters_and_may_lack() {
        check("QN=1;ST=21;CN=2011;PW=1;MN=A1;Flag=5;CP=&&x=1&&", ("A1", 2011, "x=1"));
        check("ST=21;CN=2011;MN=A_1;CP=&&&&", ("A_1", 2011, ""));
    }

    #[test]
    fn what_the_standards_own_examples_do() {
        // No `;` before CP, a comma after QN, blanks inside.
        check("QN=1,ST=21;CN=2011;MN=A;Flag=5CP=&& x=1 &&", ("A", 2011, " x=1 "));
    }

    #[test]
    fn what_is_missing_is_said_with_its_byte() {
        let refuse = |text: &str| Data::read(text).unwrap_err();
        assert_eq!(refuse("CN=2011;MN=A"), (12, "no `CP=&&`"));
        assert_eq!(refuse("CN=2011;MN=A;CP=&&x=1"), (21, "no `&&` at the end of the data"));
        assert_eq!(refuse("CN=2011;CP=&&&&").1, "no device in `MN`");
        assert_eq!(refuse("CN=11;MN=A;CP=&&&&").1, "no command of four digits in `CN`");
        // One pair of `&&` is not two.
        assert!(Data::read("CN=2011;MN=A;CP=&&").is_err());
    }

    #[test]
    fn items_are_between_semicolons_and_commas() {
        let items = items("DataTime=1; a-Rtd = 2,a-Flag=N;;b=;c; ,");
        let read: Vec<_> = items.map(|item| (item.name, item.value)).collect();
        let want = [("DataTime", "1"), ("a-Rtd", "2"), ("a-Flag", "N"), ("b", ""), ("c", "")];
        assert_eq!(read, want);
    }

    #[test]
    fn a_factor_ends_at_the_last_dash_before_the_value() {
        let parts = |text| items(text).next().and_then(|item| item.parts());
        assert_eq!(parts("w01018-Rtd=-7"), Some(("w01018", "Rtd")));
        assert_eq!(parts("a-b-Rtd"), Some(("a-b", "Rtd")));
        assert_eq!(parts("DataTime=2026-05-01"), None);
    }
}
