ARG PROXY_IMAGE=haproxy:3.0-alpine
FROM ${PROXY_IMAGE}
COPY haproxy.cfg /etc/berth/haproxy.cfg
ENTRYPOINT ["haproxy"]
CMD ["-W", "-db", "-f", "/etc/berth/haproxy.cfg"]
