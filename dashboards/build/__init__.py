"""
The Grafana dashboards as a program: each `dashboards/*.json` is written by one module here (`make dashboards`).

`panels` and `page` are plain data, the modules named as the dashboards fill them, `models` turns them into the
models of Grafana's SDK.
"""
