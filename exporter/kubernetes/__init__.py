"""The cluster the exporter runs in: whose each volume is, how CSI stands, who leads."""
