//! The data of a frame: fields before `CP=&&`, and between `&&` and `&&` items, each a name and a
//! value. The standard puts `;` between the groups of a factor and `,` inside one; devices put
//! either anywhere.

/// What stands before the parameters. Other fields (`QN`, `ST`, `PW`, `Flag`, `PNUM`, `PNO`, `RF`)
/// say nothing about values: a packet of a split is whole by itself, and one that is sent again is
/// dated by its own time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Data<'t> {
    /// The device.
    pub(super) mn: &'t str,
    /// The command.
    pub(super) cn: u16,
    /// What is between `&&` and `&&`.
    pub(super) parameters: &'t str,
}

impl<'t> Data<'t> {
    /// Reads the data of a frame.
    ///
    /// # Errors
    /// What is missing or out of place, and the byte of the data at which that shows.
    pub(super) fn read(text: &'t str) -> Result<Self, (usize, &'static str)> {
        let Some((head, rest)) = text.split_once("CP=&&") else {
            return Err((text.len(), "no `CP=&&`"));
        };
        let Some(parameters) = rest.trim_end().strip_suffix("&&") else {
            return Err((text.len(), "no `&&` at the end of the data"));
        };
        let (mut mn, mut cn) = (None, None);
        for (name, value) in items(head) {
            match name {
                "MN" => mn = Some(value).filter(|value| !value.is_empty()),
                "CN" => cn = value.parse::<u16>().ok().filter(|_| value.len() == 4),
                _ => {}
            }
        }
        let Some(cn) = cn else { return Err((0, "no command of four digits in `CN`")) };
        let Some(mn) = mn else { return Err((0, "no device in `MN`")) };
        Ok(Self { mn, cn, parameters })
    }
}

/// Walks the items of a text. One without `=` has an empty value; nothing between separators is no
/// item.
pub(super) fn items(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let words = text.split([';', ',']);
    let words = words.map(str::trim_ascii).filter(|word| !word.is_empty());
    words.map(|word| match word.split_once('=') {
        Some((name, value)) => (name.trim_ascii_end(), value.trim_ascii_start()),
        None => (word, ""),
    })
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
        let read: Vec<_> = items("DataTime=1; a-Rtd = 2,a-Flag=N;;b=;c").collect();
        let want = [("DataTime", "1"), ("a-Rtd", "2"), ("a-Flag", "N"), ("b", ""), ("c", "")];
        assert_eq!(read, want);
    }
}
