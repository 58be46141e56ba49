using System.Collections;
using System.Diagnostics;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace ChannelBridge.Host.Composition;

/// <summary>
/// Logs, traces and metrics over OTLP: what the assemblies <c>ChannelBridge.*</c> record, and what ASP.NET Core, HTTP and .NET do by themselves.
/// Without an endpoint nothing of OpenTelemetry is loaded, and the instruments cost next to nothing.
/// </summary>
internal static class TelemetryServices
{
    private const string OwnNames = "ChannelBridge.*";

    /// <summary>Adds the export. <c>OTEL_…</c> variables (interval, headers, resource, sampler) are honoured; the end of the host sends what is left.</summary>
    /// <param name="builder">The host.</param>
    /// <param name="endpoint">An OTLP/HTTP endpoint; the signals' paths are appended.</param>
    public static void AddTelemetry(this WebApplicationBuilder builder, Uri endpoint)
    {
        // OpenTelemetry reads its variables from the host's configuration, which otherwise has nothing but our own settings.
        builder.Configuration.AddInMemoryCollection(Variables());
        builder.Services.AddExport(endpoint);
    }

    private static Dictionary<string, string?> Variables()
    {
        var result = new Dictionary<string, string?>(StringComparer.OrdinalIgnoreCase);
        foreach (DictionaryEntry variable in Environment.GetEnvironmentVariables())
        {
            if (variable.Key is string name && name.StartsWith("OTEL_", StringComparison.OrdinalIgnoreCase)) result[name] = (string?)variable.Value;
        }

        return result;
    }

    private static void AddExport(this IServiceCollection services, Uri endpoint) => services.AddOpenTelemetry()
        .ConfigureResource(resource => resource.AddService("channelbridge", serviceVersion: ProductVersion.Text))
        .WithTracing(tracing => tracing
            .AddSource(OwnNames)
            .AddAspNetCoreInstrumentation(options =>
            {
                options.Filter = HasSpan;
                options.EnrichWithHttpResponse = LeaveStreamsOut;
            })
            .AddHttpClientInstrumentation())
        .WithMetrics(metrics => metrics
            .AddMeter(OwnNames)
            .AddAspNetCoreInstrumentation()
            .AddHttpClientInstrumentation()
            .AddRuntimeInstrumentation())
        .WithLogging(null, options => options.IncludeFormattedMessage = true)
        .UseOtlpExporter(OtlpExportProtocol.HttpProtobuf, endpoint);

    /// <summary>
    /// True for requests that end with their answer. An upgrade becomes a connection of hours or days, whose messages have spans of their own;
    /// probes ask every few seconds and say nothing.
    /// </summary>
    private static bool HasSpan(HttpContext context)
    {
        var request = context.Request;
        return request.Headers.Upgrade.Count == 0
            && !HttpMethods.IsConnect(request.Method)
            && request.Path != Readiness.LivePath
            && request.Path != Readiness.ReadyPath;
    }

    /// <summary>Whether an answer is an event stream is known when it has begun; its span isn't recorded.</summary>
    private static void LeaveStreamsOut(Activity activity, HttpResponse response)
    {
        if (response.ContentType?.StartsWith("text/event-stream", StringComparison.OrdinalIgnoreCase) != true) return;
        activity.ActivityTraceFlags &= ~ActivityTraceFlags.Recorded;
        activity.IsAllDataRequested = false;
    }
}
