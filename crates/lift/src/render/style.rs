//! How the page looks: colours that hold against both a light and a dark ground (Okabe and Ito's,
//! told apart with any colour vision), and dashes, so that no line is known by its colour alone.

pub const CSS: &str = "
:root{color-scheme:light dark;--ink:#1a1a1a;--ground:#fff;--faint:#6b6b6b;--rule:#d5d5d5;--note:#f4f1e8;
--c0:#56606a;--c1:#0072b2;--c2:#b35900;--c3:#00785a;--c4:#a3467f;--c5:#8a6d00;--c6:#2a6f97;--c7:#000}
@media(prefers-color-scheme:dark){:root{--ink:#ececec;--ground:#16181b;--faint:#a4a9ae;--rule:#3a3f45;
--note:#24262a;--c0:#b3bcc5;--c1:#56b4e9;--c2:#f0a04b;--c3:#3ccf9f;--c4:#e39bc6;--c5:#f0e442;--c6:#8ecae6;--c7:#fff}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:72rem;padding:1.5rem;font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--ground)}
h1{font-size:1.6rem;margin:0 0 .5rem}h2{font-size:1.15rem;margin:2rem 0 .5rem}
.honesty{background:var(--note);padding:.75rem 1rem .75rem 2rem;border-left:4px solid var(--c2);margin:1rem 0}
.honesty li{margin:.25rem 0}
.wide{overflow-x:auto}.wide:focus-visible{outline:2px solid var(--c1)}
table{border-collapse:collapse;font-size:.86rem;font-variant-numeric:tabular-nums}
caption{text-align:left;font-weight:600;padding:.4rem 0}
th,td{padding:.3rem .6rem;border-bottom:1px solid var(--rule);text-align:right;vertical-align:bottom}
th:first-child{text-align:left}tbody th{font-weight:400}td{white-space:nowrap}
figure{margin:1rem 0}figcaption{color:var(--faint);font-size:.86rem}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,26rem),1fr));gap:1rem}
svg{width:100%;height:auto;display:block}svg text{fill:var(--ink);font:12px system-ui,sans-serif}
.grid{stroke:var(--rule);fill:none}
@media print{body{max-width:none}}
";

/// One for each freshness, from the stalest; the freshest is drawn solid.
pub const DASHES: [&str; 8] = ["2 4", "8 4", "12 3 2 3", "5 2", "1 2", "10 6", "6 2 2 2", "3 3"];
