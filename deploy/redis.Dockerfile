ARG REDIS_IMAGE=valkey/valkey:8.1.4-alpine
FROM ${REDIS_IMAGE}
COPY redis.conf /etc/berth/redis.conf
# The images of Redis and of Valkey both have a program of this name.
ENTRYPOINT ["redis-server"]
CMD ["/etc/berth/redis.conf"]
