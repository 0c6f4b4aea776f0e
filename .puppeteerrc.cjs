// Chrome is found, or fetched when there is none, by tools/browser.mjs: an installation must not fail without a network.
module.exports = { skipDownload: true };
