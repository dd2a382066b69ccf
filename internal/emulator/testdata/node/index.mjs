// A handler for AWS's own runtime client: the event says what it does.
/* global awslambda */

export const handler = async (event, context) => {
  if (event.say) console.log(event.say);
  if (event.do === 'error') throw new TypeError(event.message);
  return { event, requestId: context.awsRequestId, arn: context.invokedFunctionArn };
};

export const stream = awslambda.streamifyResponse(async (event, out) => {
  out.setContentType('text/plain');
  for (let i = 0; i < event.parts; i++) out.write('s'.repeat(event.bytes));
  if (event.message) throw new Error(event.message);
  out.end();
});
