# Two images. From the repository's root:
#
#   docker build --target serve -t kerasr-serve .
#   docker run -p 8500:8500 -p 8501:8501 -v "$PWD/serving:/models:ro" kerasr-serve
#
#   docker build --target train -t kerasr-train .
#   docker run --user "$(id -u)" -v "$PWD:/work" -v "$PWD/my_words:/data:ro" kerasr-train kerasr.train words --data /data
#
# For a GPU, build the second with --build-arg WITH="tensorflow[and-cuda]>=2.21,<2.22" and run it with --gpus all.

FROM python:3.11-slim AS wheel
WORKDIR /src
COPY . .
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.11-slim AS base
# What the frameworks keep between two starts goes where any user may write.
ENV PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    HOME=/tmp \
    MPLCONFIGDIR=/tmp/matplotlib \
    NUMBA_CACHE_DIR=/tmp/numba
RUN useradd --uid 10001 --no-create-home --home-dir /tmp kerasr

FROM base AS train
ARG WITH=""
COPY --from=wheel /wheels /wheels
# hadolint ignore=DL3013
RUN pip install "$(echo /wheels/*.whl)[search,tensorboard,voices]" ${WITH:+"$WITH"}
WORKDIR /work
RUN chown kerasr /work
USER 10001
ENTRYPOINT ["python", "-m"]
CMD ["kerasr.train", "--help"]

FROM base AS serve
COPY --from=wheel /wheels /wheels
RUN pip install "$(echo /wheels/*.whl)[serve]"
USER 10001
EXPOSE 8500 8501
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8501/metrics', timeout=4)"]
ENTRYPOINT ["python", "-m", "kerasr.serve"]
CMD ["/models", "--host", "0.0.0.0"]
