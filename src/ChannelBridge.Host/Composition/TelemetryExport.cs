using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace ChannelBridge.Host.Composition;

/// <summary>
/// Sends traces and metrics to an OTLP endpoint: everything that the assemblies <c>ChannelBridge.*</c> record, and .NET's own meters. Without an
/// endpoint nothing of OpenTelemetry is loaded, and the instruments cost next to nothing.
/// </summary>
internal sealed class TelemetryExport : IDisposable
{
    private readonly OpenTelemetrySdk _sdk;

    private TelemetryExport(OpenTelemetrySdk sdk) => _sdk = sdk;

    /// <summary>Starts the export. <c>OTEL_…</c> variables (interval, headers, resource) are honoured.</summary>
    /// <param name="endpoint">An OTLP/HTTP endpoint; the signals' paths are appended.</param>
    public static TelemetryExport Start(Uri endpoint) => new(OpenTelemetrySdk.Create(builder => builder
        .ConfigureResource(resource => resource.AddService("channelbridge", serviceVersion: ProductVersion.Text))
        .WithTracing(tracing => tracing.AddSource("ChannelBridge.*"))
        .WithMetrics(metrics => metrics.AddMeter(
            "ChannelBridge.*", "System.Runtime", "System.Net.Http", "Microsoft.AspNetCore.Hosting", "Microsoft.AspNetCore.Server.Kestrel"))
        .UseOtlpExporter(OtlpExportProtocol.HttpProtobuf, endpoint)));

    /// <summary>Sends what is left, and ends.</summary>
    public void Dispose() => _sdk.Dispose();
}
