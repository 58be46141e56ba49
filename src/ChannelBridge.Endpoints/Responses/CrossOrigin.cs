using ChannelBridge.Endpoints.Doors;
using ChannelBridge.Protocol.OpenResponses;
using Microsoft.AspNetCore.Http;

namespace ChannelBridge.Endpoints.Responses;

/// <summary>Lets pages of the allowed origins (<c>Listen:AllowedOrigins</c>) call <c>/v1</c> from a browser, and read the headers that
/// matter.</summary>
internal static class CrossOrigin
{
    private const string Exposed = "Retry-After, Retry-After-Ms, X-Should-Retry, " + IgnoredNote.Header;

    /// <summary>Gives the answer the headers by which a browser hands it to the page. Without them it doesn't.</summary>
    public static bool Allow(HttpContext context, IEnumerable<string> allowed)
    {
        var origin = context.Request.Headers.Origin;
        if (origin.Count == 0) return false;
        var headers = context.Response.Headers;
        headers.Append("Vary", "Origin");
        if (!OriginPolicy.Allows(context.Request, allowed)) return false;
        headers.AccessControlAllowOrigin = origin;
        headers.AccessControlExposeHeaders = Exposed;
        return true;
    }

    /// <summary>Answers a browser's question before a request, which carries no token.</summary>
    /// <param name="context">The question.</param>
    /// <param name="methods">What the path takes.</param>
    /// <param name="allowed">The origins of the settings.</param>
    public static void AnswerPreflight(HttpContext context, string methods, IEnumerable<string> allowed)
    {
        var headers = context.Response.Headers;
        headers.Allow = methods;
        context.Response.StatusCode = StatusCodes.Status204NoContent;
        if (!Allow(context, allowed)) return;
        headers.AccessControlAllowMethods = methods;
        // Clients name what they are in headers of their own (x-stainless-…, openai-…).
        if (context.Request.Headers.AccessControlRequestHeaders is { Count: > 0 } asked) headers.AccessControlAllowHeaders = asked;
        headers.AccessControlMaxAge = "600";
    }
}
