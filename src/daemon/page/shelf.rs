//! Where the pages of a station get what they show.

use std::path::PathBuf;
use std::sync::Arc;

use crate::daemon::page::Observer;
use crate::daemon::page::classes::classes;
use crate::daemon::page::raw;
use crate::daemon::page::series::{self, ANSWER_MAX};
use crate::daemon::page::station::{self, STRIP_DAYS};
use crate::daemon::page::stored::{Store, answer};
use crate::daemon::status::{Status, View};
use crate::domain::observation::Period;
use crate::domain::time::DAY;
use crate::http::station::{Source, Wanted};
use crate::http::view::Text;
use crate::http::view::station::{RawPage, StripView};
use crate::influx::{self, Dialect};

/// What the pages of stations are made of.
struct Shelf {
    status: Arc<Status>,
    folder: PathBuf,
    store: Store,
}

/// Gives the source of the pages of stations.
pub(super) fn source(observer: &Observer) -> Source {
    let (status, config) = (Arc::clone(&observer.status), &observer.config);
    let folder = config.journal.data_folder.clone();
    let store = Store::of(config);
    let shelf = Arc::new(Shelf { status, folder, store });
    let [of_strip, of_series, of_raw] = [&shelf; 3].map(Arc::clone);
    Source {
        station: Box::new(move |name| station::page(&*shelf.view()?, &name)),
        strip: Box::new(move |name| Box::pin(Arc::clone(&of_strip).strip(name))),
        series: Box::new(move |wanted| {
            let shelf = Arc::clone(&of_series);
            Box::pin(async move {
                let view = shelf.view()?;
                series::series(&view, &shelf.store, &wanted).await
            })
        }),
        raw: Box::new(move |wanted| Box::pin(Arc::clone(&of_raw).raw(wanted))),
    }
}

impl Shelf {
    fn view(&self) -> Option<Arc<View>> {
        self.status.view.load_full()
    }

    async fn strip(self: Arc<Self>, name: String) -> StripView {
        let Some(view) = self.view() else { return StripView::default() };
        let Some(station) = station::called(&view, &name) else { return StripView::default() };
        let Some(index) = station::index_by_day(&view.registry, station) else {
            return StripView::default();
        };
        let (told, note) = match &self.store {
            Store::Database(config) if config.dialect != Dialect::Victoria => {
                let now = view.at.wall;
                let of = (&*name, index.word(), Period::Day.word());
                let days = influx::series::told(config, of, (now.plus(-STRIP_DAYS * DAY), now));
                (answer(config, ANSWER_MAX, days).await, Text::default())
            }
            // Numbers alone are kept.
            Store::Database(_) | Store::Embedded(_) => {
                let note = Text::new(
                    "Made of the means of days that are kept, by the edition in force; only \
                     InfluxDB keeps what was said then.",
                    "由所存日均值按现行版本重新评价；仅InfluxDB保存当时的评价结果。",
                );
                (classes(&view, &self.store, station, index).await, note)
            }
        };
        let (told, note) = match told {
            Ok(told) => (told, note),
            Err(lack) => (Vec::new(), series::away(&lack)),
        };
        StripView { note, ..station::strip(&view, station, index, &told) }
    }

    async fn raw(self: Arc<Self>, wanted: Wanted) -> Option<RawPage> {
        let view = self.view()?;
        let find = move || raw::page(&view, &self.folder, &wanted);
        tokio::task::spawn_blocking(find).await.ok().flatten()
    }
}
