# One static binary on nothing: no shell, no packages, no root.
#
#   docker build -t gongkai .
#   docker run -p 8080:8080 -v gongkai:/var/lib/gongkai gongkai

FROM golang:1.26.8-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
COPY third_party third_party
RUN go mod download
COPY . .
ARG VERSION=unknown
RUN make build VERSION=$VERSION && mkdir -p /image/var/lib/gongkai /image/tmp && chmod 1777 /image/tmp \
 && cp bin/gongkai /image/gongkai

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
# 65532 is nobody in particular; the volume below belongs to it.
COPY --from=build --chown=65532:65532 /image/ /
USER 65532:65532
WORKDIR /var/lib/gongkai
VOLUME /var/lib/gongkai
ENV GONGKAI_LISTEN=0.0.0.0:8080 GONGKAI_DATA=/var/lib/gongkai
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s CMD ["/gongkai", "healthcheck"]
ENTRYPOINT ["/gongkai"]
CMD ["serve"]
