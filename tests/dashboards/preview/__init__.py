"""
Our dashboards as pages to look at where there is no Grafana (`make dashboards-preview`).

`model` reads the committed JSON as Grafana does, `asking` puts its queries to a real Prometheus, `draw_…` turn the
answers into HTML and SVG, `pictures` photographs the pages. What Grafana decides (colours, words, order, what is cut
off) is decided here the same way, so that what is wrong there is seen here. They are renderings, not Grafana.
"""
