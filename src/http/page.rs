//! The page as HTML, in either language.

use minijinja::value::Serde;
use minijinja::{Environment, Value, context};

use crate::http::view::PageView;

/// A language of the page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Language {
    /// English.
    English,
    /// Chinese.
    Chinese,
}

impl Language {
    /// Chooses by what was asked for, else by what the browser prefers.
    #[must_use]
    pub fn choose(asked: Option<&str>, accepts: Option<&str>) -> Self {
        let wanted = asked.or(accepts).unwrap_or_default().trim_start().to_ascii_lowercase();
        if wanted.starts_with("zh") { Self::Chinese } else { Self::English }
    }

    fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh",
        }
    }
}

/// The compiled template.
#[derive(Debug)]
pub(super) struct Page(Environment<'static>);

const NAME: &str = "page.html";

impl Page {
    pub(super) fn new() -> Result<Self, minijinja::Error> {
        let mut environment = Environment::new();
        // By the name's ending everything is escaped: names and words come from outside.
        environment.add_template(NAME, include_str!("page.html"))?;
        Ok(Self(environment))
    }

    pub(super) fn render(
        &self,
        view: &PageView,
        language: Language,
    ) -> Result<String, minijinja::Error> {
        let lang = language.tag();
        self.0.get_template(NAME)?.render(context! {
            view => Value::from(Serde(view)),
            lang,
            zh => lang == "zh",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::view::{PlaceView, StationView, Text, ValueView};

    fn view(name: &str) -> PageView {
        let name = Text { en: name.to_owned(), zh: "蒲河".to_owned() };
        let value = ValueView {
            property: Text { en: "dissolved oxygen".to_owned(), zh: "溶解氧".to_owned() },
            value: "2.40".to_owned(),
            unit: "mg/L".to_owned(),
            flag: 3,
            ..ValueView::default()
        };
        let values = vec![value];
        let stations = vec![StationView { name: name.clone(), values, ..StationView::default() }];
        PageView { places: vec![PlaceView { name, stations }], ..PageView::default() }
    }

    #[test]
    fn what_comes_from_outside_is_escaped() {
        let page = Page::new().unwrap();
        let html = page.render(&view("<script>alert(1)</script>"), Language::English).unwrap();
        assert!(!html.contains("<script>") && html.contains("&lt;script&gt;"));
        assert!(html.contains("2.40") && html.contains("flag 3"));
    }

    #[test]
    fn each_language_is_whole() {
        let page = Page::new().unwrap();
        let english = page.render(&view("Puhe"), Language::English).unwrap();
        assert!(english.contains("lang=\"en\"") && english.contains("dissolved oxygen"));
        let chinese = page.render(&view("Puhe"), Language::Chinese).unwrap();
        assert!(chinese.contains("lang=\"zh\"") && chinese.contains("溶解氧"));
        assert!(!chinese.contains("dissolved oxygen") && chinese.contains("台账"));
    }

    #[test]
    fn no_alert_yet_is_not_all_well() {
        let page = Page::new().unwrap();
        let mut view = view("Puhe");
        view.alerts.clear();
        view.places[0].stations[0].exceeds = false;
        assert!(page.render(&view, Language::English).unwrap().contains("every limit that can"));
        view.places[0].stations[0].exceeds = true;
        let html = page.render(&view, Language::English).unwrap();
        assert!(html.contains("None yet") && !html.contains("every limit that can"));
    }

    #[test]
    fn nothing_heard_yet_says_what_to_do() {
        let page = Page::new().unwrap();
        let html = page.render(&PageView::default(), Language::English).unwrap();
        assert!(html.contains("weir check --connect"));
    }

    #[test]
    fn the_browser_or_the_switch_chooses_the_language() {
        assert_eq!(Language::choose(None, Some("zh-CN,zh;q=0.9")), Language::Chinese);
        assert_eq!(Language::choose(Some("en"), Some("zh-CN")), Language::English);
        assert_eq!(Language::choose(None, None), Language::English);
    }
}
