//! Layers of a simulcast: what there is, and what is shown of it.
use pyo3::prelude::*;
use trivox_media::video::LayerWish;

use super::engine::MediaEngine;
use super::errors::raise;

type LayerTuple = (String, u32, u32, u64, bool);

/// Nothing of a wish is an empty name and zeros.
pub(super) fn layer_wish(layer: &str, most_bps: u64, most_height: u32) -> LayerWish {
    LayerWish {
        name: (!layer.is_empty()).then(|| layer.to_owned()),
        most_bps: (most_bps > 0).then_some(most_bps),
        most_height: (most_height > 0).then_some(most_height),
    }
}

#[pymethods]
impl MediaEngine {
    #[pyo3(signature = (session, line, layer, most_bps=0, most_height=0))]
    fn choose_layer(
        &self,
        py: Python<'_>,
        session: u64,
        line: u64,
        layer: &str,
        most_bps: u64,
        most_height: u32,
    ) -> PyResult<()> {
        let wish = layer_wish(layer, most_bps, most_height);
        self.run(py, session, move |open| open.choose_layer(line, wish))
    }

    fn choose_tap_layer(
        &self,
        py: Python<'_>,
        tap: u64,
        layer: &str,
        most_bps: u64,
        most_height: u32,
    ) -> PyResult<()> {
        let wish = layer_wish(layer, most_bps, most_height);
        py.detach(|| self.engine.choose_tap_layer(tap, &wish))
            .map_err(raise)
    }

    fn video_layers(&self, py: Python<'_>, session: u64, line: u64) -> PyResult<Vec<LayerTuple>> {
        let layers = py.detach(|| self.engine.video_layers(session, line));
        let plain = layers
            .map_err(raise)?
            .into_iter()
            .map(|(layer, is_active)| {
                let (width, height) = layer.size.unwrap_or_default();
                (layer.name, width, height, layer.bits_per_second, is_active)
            });
        Ok(plain.collect())
    }

    fn want_key_frame(&self, py: Python<'_>, session: u64, line: u64) -> PyResult<()> {
        py.detach(|| self.engine.want_key_frame(session, line))
            .map_err(raise)
    }
}
