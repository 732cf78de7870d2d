# One image for the chart in helm/: kvnode, kvorum-sentinel, kvorum-agent and kvorumctl on Debian slim.
#
#   docker build -t registry.example.org/kvorum:0.1.0 .
#
# The programs start by themselves: no entry script, no shell in the way (the base image has one; nothing
# here uses it). Everything they write lies beneath /data and /run/kvorum, which are volumes, so that
# the root file system may be read only.
FROM debian:12-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends bash ca-certificates
COPY scripts/deps /src/scripts/deps
RUN /src/scripts/deps build
COPY CMakeLists.txt LICENSE README.md /src/
COPY cmake /src/cmake
COPY common /src/common
COPY kvnode /src/kvnode
COPY sentinel /src/sentinel
COPY agent /src/agent
COPY systemd /src/systemd
COPY scripts /src/scripts
COPY tests /src/tests
RUN cd /src && BUILD_DIR=/build scripts/build release kvnode kvorum-sentinel kvorum-agent kvorumctl

FROM debian:12-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends libhiredis0.14 libev4 libcjson1 libcurl4 libmicrohttpd12 libssl3 \
      libsystemd0 libjemalloc2 liblzf1 libpcre2-8-0 \
 && rm -rf /var/lib/apt/lists/* \
 && mkdir -p /data /run/kvorum /etc/kvorum/conf \
 && chown 10001:10001 /data /run/kvorum
COPY --from=build /build/bin/kvnode /build/bin/kvorum-sentinel /build/bin/kvorum-agent /build/bin/kvorumctl /usr/bin/
COPY LICENSE /usr/share/doc/kvorum/copyright
USER 10001:10001
WORKDIR /data
EXPOSE 6379 26379 9379 9381 9382
CMD ["/usr/bin/kvorumctl", "--help"]
